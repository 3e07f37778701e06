package bucketstore

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// uploadKeyName is the file with the object's key, in the directory of an upload. Its time is the
// time when the upload began. A directory without this file is not an upload.
const uploadKeyName = "key"

func uploadPath(upload string) string { return bucketdir.UploadsPath + "/" + upload }

const partPrefix = "part-"

func partName(number int) string { return partPrefix + strconv.Itoa(number) }

// ErrUpload is the error for an upload that is not in progress, or that belongs to another key.
var ErrUpload = argument.Invalid(
	"upload", "must be in progress and belong to the key",
	"begin the upload again: it was completed, aborted or discarded after a time without parts",
)

// uploadEndedError returns the error for an upload that is not there: ErrUpload, unless the bucket
// itself is not at its path any more.
func uploadEndedError(t *bucketdir.Tree) error {
	if err := t.CheckPath(); err != nil {
		return err
	}
	return ErrUpload
}

func validUpload(upload string) bool {
	return len(upload) == 24 && strings.Trim(upload, "0123456789abcdef") == ""
}

// Uploads manages the multipart uploads in progress, and their parts.
type Uploads struct {
	tree     *bucketdir.Tree
	staging  *objectfile.Staging
	settings *Settings
	objects  *Objects

	lastSweep atomic.Int64 // Unix time in nanoseconds
}

// An OpenUpload is an upload that a call is using. The call holds a shared lock on the key file, so
// that no sweep discards the upload. Other calls can hold the lock at the same time. A sweep does
// not wait for the lock.
type OpenUpload struct {
	Dir *osdir.Dir
	Key *os.File
}

// Use opens an upload, and keeps sweeps from removing it until the caller closes the result. It fails
// with ErrUpload if key has no such upload.
func (u *Uploads) Use(ctx context.Context, key, upload string) (*OpenUpload, error) {
	if !validUpload(upload) {
		return nil, ErrUpload
	}
	dir, err := u.tree.Open(uploadPath(upload))
	if osdir.IsNoFile(err) {
		return nil, uploadEndedError(u.tree)
	}
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}

	// The shared lock of the key file keeps sweeps away.
	keyFile, err := shareKey(ctx, dir, key)
	if err != nil {
		dir.Close()
		return nil, err
	}
	return &OpenUpload{Dir: dir, Key: keyFile}, nil
}

// Close ends the use of the upload.
func (u *OpenUpload) Close() {
	_ = u.Key.Close()
	u.Dir.Close()
}

// shareKey opens the key file of the upload in dir and takes a shared lock on it. It fails with
// ErrUpload if the file contains another key, or was removed before it was locked.
func shareKey(ctx context.Context, dir *osdir.Dir, key string) (*os.File, error) {
	file, err := dir.Open(uploadKeyName)
	if osdir.IsNoFile(err) {
		return nil, ErrUpload
	}
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}

	keyFile := file.OSFile(uploadKeyName)
	if file.Meta.Kind != osdir.KindFile {
		_ = keyFile.Close()
		return nil, ErrUpload
	}
	if err := bucketdir.WaitForLock(ctx, keyFile, osdir.TryShare); err != nil {
		_ = keyFile.Close()
		return nil, err
	}
	if err := CheckKey(dir, keyFile, key); err != nil {
		_ = keyFile.Close()
		return nil, err
	}
	return keyFile, nil
}

// CheckKey fails with ErrUpload unless keyFile, the open and locked key file of the upload in dir,
// contains key and was not removed.
func CheckKey(dir *osdir.Dir, keyFile *os.File, key string) error {
	content, err := readKey(keyFile)
	if err != nil {
		return bucketdir.WrapError(err)
	}
	_, err = dir.Stat(uploadKeyName)
	if osdir.IsNoFile(err) {
		return ErrUpload
	}
	if err != nil {
		return bucketdir.WrapError(err)
	}
	if !bytes.Equal(content, []byte(key)) {
		return ErrUpload
	}
	return nil
}

// readKey returns the key in the key file. If the file is longer than the longest key, it returns
// one byte more than the longest key has. The result then differs from every key.
func readKey(f *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, bucketdir.MaxKey+1))
}

// endUpload ends an upload whose object was placed in target: it flushes target, and then removes the
// key file. The caller must hold the lock of the key, so that no other call places the object again.
func (o *Objects) endUpload(upload, target *osdir.Dir) error {
	if err := o.tree.Flush(target); err != nil {
		return bucketdir.UnknownOutcome(err)
	}
	// Ignore the error: if the file is in use, as on Windows, RemoveUpload tries again.
	_ = o.tree.Root.Remove(upload.Path + "/" + uploadKeyName)
	return nil
}

// RemoveUpload removes an upload. It removes the key file first, which ends the upload: no other call
// can create an object from the parts any more.
func (u *Uploads) RemoveUpload(ctx context.Context, upload string) error {
	path := uploadPath(upload)
	err := osdir.RetryInUse(ctx, func() error { return u.tree.Root.Remove(path + "/" + uploadKeyName) })
	if err := bucketdir.IgnoreNotExist(err); err != nil {
		return err
	}

	err = osdir.RetryInUse(ctx, func() error { return u.tree.Root.RemoveAll(path) })
	if osdir.IsObstructed(err) {
		// A call has added a file meanwhile, which a sweep removes.
		return nil
	}
	return bucketdir.WrapError(err)
}

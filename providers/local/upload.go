package local

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// uploadKeyName is the file with the key, in the directory of an upload. Its time is that
// of the beginning of the upload. Without it, the directory is not an upload.
const uploadKeyName = "key"

func uploadPath(upload string) string { return uploadsPath + "/" + upload }

func partName(number int) string { return partPrefix + strconv.Itoa(number) }

var errUpload = argument.Invalid(
	"upload", "must be in progress and belong to the key",
	"begin the upload again: it was completed, aborted or discarded after a time without parts",
)

// uploadEndedError returns errUpload, or the error of checkPlace.
func (t *tree) uploadEndedError() error { return cmp.Or[error](t.checkPlace(), errUpload) }

func validUpload(upload string) bool {
	return len(upload) == 24 && strings.Trim(upload, hexDigits) == ""
}

// uploads has the open multipart uploads and their parts.
type uploads struct {
	tree     *tree
	staging  *staging
	settings *settings
	objects  *objects

	lastSweep atomic.Int64 // time of the last sweep, Unix time in nanoseconds
}

// An openUpload is an upload that a call is using. The call has a shared lock on the key
// file, so that no sweep discards the upload. Other calls share the lock, and a sweep does
// not wait for it.
type openUpload struct {
	dir *osdir.Dir
	key *os.File
}

// upload opens an upload to key.
func (u *uploads) upload(ctx context.Context, key, upload string) (*openUpload, error) {
	if !validUpload(upload) {
		return nil, errUpload
	}
	d, err := u.tree.open(uploadPath(upload))
	if osdir.IsNoFile(err) {
		return nil, u.tree.uploadEndedError()
	}
	if err != nil {
		return nil, failure(err)
	}
	f, err := shareKey(ctx, d, key)
	if err != nil {
		d.Close()
		return nil, err
	}
	return &openUpload{d, f}, nil
}

func (u *openUpload) close() {
	_ = u.key.Close()
	u.dir.Close()
}

// shareKey opens and locks the key file, and checks that it has key. A sweep may have
// removed the file before it was locked.
func shareKey(ctx context.Context, d *osdir.Dir, key string) (*os.File, error) {
	opened, err := d.Open(uploadKeyName)
	if osdir.IsNoFile(err) {
		return nil, errUpload
	}
	if err != nil {
		return nil, failure(err)
	}
	f := opened.OSFile(uploadKeyName)
	if opened.Meta.Kind != osdir.KindFile {
		err = errUpload
	} else if err = waitForLock(ctx, f, osdir.TryShare); err == nil {
		err = checkKey(d, f, key)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func checkKey(d *osdir.Dir, f *os.File, key string) error {
	of, err := readKey(f)
	if err != nil {
		return failure(err)
	}
	if _, err = d.Stat(uploadKeyName); osdir.IsNoFile(err) || err == nil && !bytes.Equal(of, []byte(key)) {
		return errUpload
	}
	return failure(err)
}

// readKey reads a key. It reads one byte more than a key can have, to detect a longer file.
func readKey(f *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, maxKey+1))
}

// endUpload removes the key file of an upload whose object was placed in target, once the
// object is durable. The caller holds the lock of the key, so that no other call places the
// object again.
func (o *objects) endUpload(upload, target *osdir.Dir) error {
	if err := o.tree.flush(target); err != nil {
		return unknownOutcome(err)
	}
	_ = o.tree.root.Remove(upload.Path + "/" + uploadKeyName) // on Windows it may be in use: removeUpload tries again
	return nil
}

// removeUpload first removes the key file. If it is interrupted, or another call lists the parts
// meanwhile, no call makes an object of the parts that remain.
func (u *uploads) removeUpload(ctx context.Context, upload string) error {
	path := uploadPath(upload)
	err := osdir.RetryInUse(ctx, func() error { return u.tree.root.Remove(path + "/" + uploadKeyName) })
	if err = unlessAbsent(err); err != nil {
		return err
	}
	err = osdir.RetryInUse(ctx, func() error { return u.tree.root.RemoveAll(path) })
	if osdir.IsObstructed(err) { // a call in progress has added a file: a sweep removes the rest
		return nil
	}
	return failure(err)
}

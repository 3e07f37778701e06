package bucketdir

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

const maxSmall = 256 // bytes

// lastForm is the last form of a document that this version reads (docs/maintainers/stored-forms.md).
const lastForm = 1

// ReadSmall returns the content of a file, up to maxSmall bytes, or false if the file cannot be read.
func (t *Tree) ReadSmall(path string) (text string, ok bool) {
	f, err := t.Root.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSmall))
	return string(content), err == nil
}

// ReadDocument reads a JSON document of the reserved directory into dst. It returns false if the
// document does not exist or is empty.
func (t *Tree) ReadDocument(path string, dst any) (found bool, err error) {
	content, err := t.Root.ReadFile(path)
	if osdir.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, WrapError(err)
	}
	if len(bytes.Trim(content, "\x00")) == 0 {
		// A power failure has lost the content, which was not flushed to the disk.
		return false, nil
	}
	if err := argument.CheckForm("", path, content, lastForm); err != nil {
		return false, err
	}
	if err := json.Unmarshal(content, dst); err != nil {
		return false, Damaged(path, err)
	}
	return true, nil
}

// Damaged returns the error for a document of the bucket's directory that cannot be parsed because of
// err.
func Damaged(path string, err error) error {
	return &storage.Error{
		Code: storage.Internal,
		Err:  err,
		Hint: "restore " + path + " in the bucket's directory from a backup: it is damaged",
	}
}

// ReplaceFile atomically writes a small file in the reserved directory. It first writes a new file
// in the directory tmp, which is a staging directory or, if there is none yet, TmpPath.
func (t *Tree) ReplaceFile(path, tmp string, content []byte, mode fs.FileMode) error {
	return t.ReplaceFileSynced(path, tmp, content, mode, t.Sync)
}

// ReplaceFileSynced atomically replaces the file at path by one that it first writes in the directory
// tmp. It flushes the file and its name to the disk if sync is true.
func (t *Tree) ReplaceFileSynced(path, tmp string, content []byte, mode fs.FileMode, sync bool) error {
	tmpPath := tmp + "/" + RandomName()
	f, err := t.Root.OpenFile(tmpPath, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return t.PathLostError(err)
	}

	err = writeAndClose(f, content, sync)
	if err == nil {
		err = osdir.RetryInUse(context.Background(), func() error { return t.Root.Rename(tmpPath, path) })
	}
	if err != nil {
		// If the removal fails, too, a later sweep removes the file.
		_ = t.Root.Remove(tmpPath)
		return WrapError(err)
	}

	if !sync {
		return nil
	}
	dir, _ := osdir.Split(path)
	return UnknownOutcome(localfile.SyncDirIn(t.Root, dir))
}

// writeAndClose writes the content of a new file, flushes it if sync is true, and closes it.
func writeAndClose(f *os.File, content []byte, sync bool) error {
	_, err := f.Write(content)
	if err == nil && sync {
		err = f.Sync()
	}
	closeErr := f.Close()
	if err != nil {
		return err
	}
	return closeErr
}

// RandomName returns a name of 96 random bits, which is never repeated.
func RandomName() string { return hexid.New(12) }

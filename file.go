package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/omnibucket/storage/internal/durable"
)

// UploadFile uploads a file in place. If reading it fails, it is BodyFailed.
func UploadFile(ctx context.Context, b Uploader, key, path string, opts ...UploadOption) (*Attrs, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, located(b, "UploadFile", key, bodyFailed(err))
	}
	defer func() { _ = file.Close() }()
	return b.Upload(ctx, key, file, opts...)
}

// DownloadFile downloads an object to a file, by parallel ranges, none of them in memory.
// The file appears whole, with the right checksum, or not at all. It replaces a regular
// file, whose mode is kept, or a symbolic link itself. Any other kind of file is
// InvalidArgument; so is a missing directory, also fs.ErrNotExist. After a power failure
// there is the old file or the new one: both file and name are on the disk before
// DownloadFile returns, unless [WithNoSync]. If only that fails, the new file may be there.
func DownloadFile(ctx context.Context, b Downloader, key, path string, opts ...DownloadOption) (*Attrs, error) {
	if e := checkTarget(path); e != nil {
		return nil, located(b, "DownloadFile", key, e)
	}
	r, err := b.Download(ctx, key, opts...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	fail := func(err error) (*Attrs, error) {
		return nil, located(b, "DownloadFile", key, &Error{Code: Internal, Err: durable.OfFile(err, path), Hint: durable.Hint(err)})
	}
	file, err := createBeside(path)
	if err != nil {
		return fail(err)
	}
	defer func() { // does nothing after the rename
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	if _, err := r.WriteTo(file); err != nil {
		if _, ok := errors.AsType[*Error](err); ok {
			return nil, err
		}
		return fail(err)
	}
	var given DownloadOptions
	_ = given.Apply(opts...) // Download has refused bad options
	if err := rename(file, path, !given.set.NoSync); err != nil {
		return fail(err)
	}
	return r.Attrs(), nil
}

// rename closes a complete file, and gives it the name path. With sync, a power failure afterwards loses
// nothing of it.
func rename(file *os.File, path string, sync bool) error {
	if sync { // before the rename: else the name could survive a power failure without the bytes
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil || !sync {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// checkTarget refuses a path that a file must not replace: a directory, or a device
// such as /dev/null. It also refuses a path that no file can have, because the temporary file has
// another name.
func checkTarget(path string) *Error {
	if e := checkDir(filepath.Dir(path)); e != nil {
		return e
	}
	info, err := os.Lstat(path)
	switch {
	case path == "", err == nil && !info.Mode().IsRegular() && info.Mode()&os.ModeSymlink == 0:
		return invalid("path", "must name a regular file, or not exist")
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		return &Error{Code: InvalidArgument, Err: fmt.Errorf("path must be one that a file can have: %w", err)}
	}
	return nil // creating the file tells any other error
}

// checkDir refuses a path that is not a directory.
func checkDir(dir string) *Error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Code: InvalidArgument, Err: fmt.Errorf("path must be in a directory that exists: %w", err), Hint: "create the directory first"}
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return invalid("path", fmt.Sprintf("must be in a directory that exists: %q is not one", dir))
	}
	return nil // creating the file tells any other error
}

// createBeside creates a temporary file in the directory of path, so that the rename
// stays on one file system.
func createBeside(path string) (*os.File, error) {
	mode := os.FileMode(0o666) // less the umask
	info, err := os.Lstat(path)
	replaces := err == nil && info.Mode().IsRegular()
	if replaces {
		mode = info.Mode().Perm()
	}
	name := filepath.Join(filepath.Dir(path), durable.TempName())
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil || !replaces {
		return file, err
	}
	if made, err := file.Stat(); err == nil && made.Mode().Perm() == mode {
		return file, nil // some file systems refuse Chmod
	}
	if err := file.Chmod(mode); err != nil { // restores what the umask removed
		_ = file.Close()
		_ = os.Remove(name)
		return nil, err
	}
	return file, nil
}

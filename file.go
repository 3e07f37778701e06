package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
)

// UploadFile uploads a file in place. If the file cannot be read, UploadFile fails with
// BodyFailed.
func UploadFile(ctx context.Context, b Uploader, key, path string, opts ...UploadOption) (*Attrs, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, located(b, "UploadFile", key, bodyFailed(err))
	}
	defer func() { _ = file.Close() }()
	return b.Upload(ctx, key, file, opts...)
}

// DownloadFile downloads an object to a file, by parallel ranges, none of them in memory. The
// file appears whole, with the right checksum, or not at all. It replaces a regular file, whose
// mode is kept, or a symbolic link itself. For any other kind of file it fails with
// InvalidArgument, and so it does if the directory is missing (also fs.ErrNotExist). After a
// power failure there is the old file or the new one: both file and name are on the disk before
// DownloadFile returns, unless [WithNoSync]. If only that fails, the new file may be there.
//
// A killed process leaves a temporary file beside path. The next call for path removes it. If
// the object has at least 16 MiB, and still the same revision, it downloads only the rest: a
// kill loses 4 MiB, or a thousandth of the object, of what was written. If that fails for a
// reason that passes, the file stays for another call. A job of package transfer into the
// directory removes or continues it, too.
func DownloadFile(ctx context.Context, b Downloader, key, path string, opts ...DownloadOption) (*Attrs, error) {
	if e := checkTarget(path); e != nil {
		return nil, located(b, "DownloadFile", key, e)
	}
	var given DownloadOptions
	whole := given.Apply(opts...) == nil && given.Offset == 0 && given.Length < 0 && given.Suffix == 0 &&
		given.Version == "" &&
		given.Condition == Condition{}
	d := &fileDownload{b: b, key: key, path: path, opts: opts, sync: !given.NoSync, progress: given.Progress}
	if whole {
		d.source = serving.Source(b, key)
	}
	d.part = partfile.Find(partfile.System{}, path, d.source)
	defer d.clean()
	a, err := d.fill(ctx)
	if err == nil {
		err = d.rename()
	}
	if err == nil {
		return a, nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return nil, err
	}
	return nil, located(
		b, "DownloadFile", key, &Error{Code: Internal, Err: durable.OfFile(err, path), Hint: durable.Hint(err)},
	)
}

// A fileDownload is one call of DownloadFile.
type fileDownload struct {
	b         Downloader
	key, path string
	opts      []DownloadOption
	source    string // "" if the download cannot be continued
	sync      bool
	progress  func(done, total int64)
	part      *partfile.File // nil until it is open, and after the rename
}

// clean removes what is not renamed.
func (d *fileDownload) clean() {
	if d.part != nil {
		d.part.Remove()
	}
}

// fill writes the object to the temporary file.
func (d *fileDownload) fill(ctx context.Context) (*Attrs, error) {
	mode, replaces := modeOf(d.path)
	if d.part != nil {
		if a, done, err := continueDownload(ctx, d.b, d.key, d.part, d.opts, d.progress); done {
			if err == nil {
				err = setMode(d.part.OS(), mode, replaces)
			} else if IsTemporary(err) { // what an earlier process has received is not lost
				d.part.Keep()
				d.part = nil
			}
			return a, err
		}
		d.part.Remove()
		d.part = nil
	}
	r, err := d.b.Download(ctx, d.key, d.opts...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	if d.part, err = partfile.Create(partfile.System{}, d.path, mode); err != nil {
		d.part = nil
		return nil, err
	}
	if err := setMode(d.part.OS(), mode, replaces); err != nil {
		return nil, err
	}
	to := io.Writer(d.part.OS())
	if record(d.part, d.source, r.Attrs(), d.sync) {
		to = d.part
	}
	_, err = r.WriteTo(to)
	return r.Attrs(), err
}

// rename gives the complete file its name. With sync, a power failure afterwards loses nothing of it.
func (d *fileDownload) rename() error {
	file := d.part.OS()
	if d.sync { // before the rename: else the name could survive a power failure without the bytes
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(d.part.Path(), d.path); err != nil {
		return err
	}
	d.part.Renamed()
	d.part = nil
	if !d.sync {
		return nil
	}
	return durable.SyncDir(filepath.Dir(d.path))
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
	return nil // any other error shows when the file is created
}

// checkDir refuses a path that is not a directory.
func checkDir(dir string) *Error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{
			Code: InvalidArgument, Err: fmt.Errorf("path must be in a directory that exists: %w", err),
			Hint: "create the directory first",
		}
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return invalid("path", fmt.Sprintf("must be in a directory that exists: %q is not one", dir))
	}
	return nil // any other error shows when the file is created
}

// modeOf returns the mode of a file that replaces the one at path, or is new.
func modeOf(path string) (mode os.FileMode, replaces bool) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() {
		return info.Mode().Perm(), true
	}
	return 0o666, false // less the umask
}

// setMode restores what the umask has removed from the mode of a file that replaces another.
func setMode(file *os.File, mode os.FileMode, replaces bool) error {
	if !replaces {
		return nil
	}
	if made, err := file.Stat(); err == nil && made.Mode().Perm() == mode {
		return nil // some file systems refuse Chmod
	}
	return file.Chmod(mode)
}

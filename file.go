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

	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
)

// UploadFile uploads the file at path, in place and by parallel requests if the file is large. If
// the file cannot be read, UploadFile fails with BodyFailed.
func UploadFile(ctx context.Context, b Uploader, key, path string, opts ...UploadOption) (*Attrs, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, refuseFunction(ctx, b, "UploadFile", "Upload", key, bodyFailed(err))
	}
	defer file.Close()
	return orFailing(b).Upload(ctx, key, file, opts...)
}

// DownloadFile downloads an object to a file, by ranges in parallel. The file at path appears
// whole, with the right checksum, or not at all, because the bytes are first in a temporary file
// beside path. DownloadFile replaces a regular file and keeps its mode, and replaces a symbolic link
// itself. For any other kind of file, it fails with InvalidArgument. If the directory is missing,
// the error is InvalidArgument and also fs.ErrNotExist.
//
// Unless [WithNoSync] is given, the file and its name are synced to the disk, so a power failure
// leaves the old file or the new one. If only the last sync fails, the new file may exist.
//
// A killed process, or a failure for a temporary reason, leaves the temporary file. The next call
// for path, or a job of package transfer for the directory, removes the temporary file. But if the
// object has at least 16 MiB and still the same revision, the call or job continues the download with
// that file. A kill loses at most the last 4 MiB or the last thousandth of the object, whichever is
// more.
func DownloadFile(ctx context.Context, b Downloader, key, path string, opts ...DownloadOption) (*Attrs, error) {
	if err := checkTarget(path); err != nil {
		return nil, refuseFunction(ctx, b, "DownloadFile", "Download", key, err)
	}

	var o DownloadOptions
	optsErr := o.Apply(opts...)
	d := &fileDownload{
		b:        orFailing(b),
		key:      key,
		path:     path,
		opts:     opts,
		sync:     !o.NoSync,
		progress: o.Progress,
	}
	// Only a download of the current object can continue an earlier one or be continued later. If an
	// option is invalid, Download refuses it.
	if optsErr == nil && o.readsCurrent() {
		d.source = serving.Source(b, key)
	}
	d.part = partfile.Find(partfile.System{}, path, d.source)
	defer d.removeTemp()

	// Download to the temporary file, and then rename it to path.
	attrs, err := d.fill(ctx)
	if err != nil {
		return nil, d.failure(err)
	}
	if err := d.rename(); err != nil {
		return nil, d.failure(err)
	}
	return attrs, nil
}

// readsCurrent reports whether the options read the whole current object without a condition.
func (r *DownloadOptions) readsCurrent() bool {
	isWhole := r.Offset == 0 && r.Length < 0 && r.Suffix == 0
	return isWhole && r.Version == "" && r.Condition == Condition{}
}

// failure returns err as an error of DownloadFile. An error of another type than *Error is one of the
// file, and gets a hint.
func (d *fileDownload) failure(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return locateError(d.b, "DownloadFile", d.key, &Error{
		Code: Internal,
		Err:  localfile.WithPath(err, d.path),
		Hint: localfile.ErrorHint(err),
	})
}

// A fileDownload is one call of DownloadFile.
type fileDownload struct {
	b         Downloader
	key, path string
	opts      []DownloadOption
	source    string // "" if a later call cannot continue the download
	sync      bool
	progress  func(done, total int64)
	part      *partfile.File // nil before the file is opened, and after the rename
}

// removeTemp removes the temporary file if it still exists.
func (d *fileDownload) removeTemp() {
	if d.part != nil {
		d.part.Remove()
	}
}

// keepTemp keeps the temporary file, so that a later call can continue in it.
func (d *fileDownload) keepTemp() {
	d.part.Keep()
	// Without part, removeTemp does not remove the file.
	d.part = nil
}

// fill writes the object to the temporary file. If an earlier call has left one, fill only downloads
// what is missing, if it can.
func (d *fileDownload) fill(ctx context.Context) (*Attrs, error) {
	// Continue in the temporary file of an earlier call, if there is one. If replaces is true, the new
	// file replaces one at the path, and must get its mode.
	mode, replaces := modeOf(d.path)
	if d.part != nil {
		attrs, done, err := d.resume(ctx, mode, replaces)
		if done {
			return attrs, err
		}
		// The bytes in the file are of no use.
		d.part.Remove()
		d.part = nil
	}

	// Otherwise, download the whole object to a new file.
	r, err := d.b.Download(ctx, d.key, d.opts...)
	if err != nil {
		return nil, err
	}
	defer r.Close()

	d.part, err = partfile.Create(partfile.System{}, d.path, mode)
	if err != nil {
		d.part = nil
		return nil, err
	}
	if err := setMode(d.part.OS(), mode, replaces); err != nil {
		return nil, err
	}

	// Record the received bytes if a later call could continue with them.
	dst := io.Writer(d.part.OS())
	if startRecord(d.part, d.source, r.Attrs(), d.sync) {
		dst = d.part
	}
	_, err = r.WriteTo(dst)
	return r.Attrs(), err
}

// resume continues the download in the temporary file that an earlier call has left. mode and replaces
// are the results of modeOf. If done is false, the file is of no use, and the caller must download the
// whole object. Otherwise attrs and err are the results of the download.
func (d *fileDownload) resume(
	ctx context.Context, mode os.FileMode, replaces bool,
) (attrs *Attrs, done bool, err error) {
	attrs, done, err = continueDownload(ctx, d.b, d.key, d.part, d.opts, d.progress)
	if !done {
		return nil, false, nil
	}
	if err != nil {
		if IsTemporary(err) {
			d.keepTemp()
		}
		return nil, true, err
	}

	if err := setMode(d.part.OS(), mode, replaces); err != nil {
		return nil, true, err
	}
	return attrs, true, nil
}

// rename renames the complete temporary file to its final path. If d.sync is set, a later power
// failure does not lose the file.
func (d *fileDownload) rename() error {
	file := d.part.OS()
	if d.sync {
		// After a rename without a sync, a power failure could keep the name and lose the bytes.
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
	return localfile.SyncDir(filepath.Dir(d.path))
}

// checkTarget refuses a path that a file must not replace, such as a directory or the device
// /dev/null, and one that the system does not accept, such as one that is too long. It is called
// before the download, which writes to a temporary file with another name and would fail only at its
// end.
func checkTarget(path string) *Error {
	if err := checkDir(filepath.Dir(path)); err != nil {
		return err
	}
	if path == "" {
		return invalid("path", "must name a regular file, or not exist")
	}

	info, err := os.Lstat(path)
	if errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL) {
		return &Error{Code: InvalidArgument, Err: fmt.Errorf("path must be one that a file can have: %w", err)}
	}
	if err != nil {
		// Other errors also make the creation of the temporary file fail.
		return nil
	}

	// The download replaces a link itself, and not the file to which it points.
	isLink := info.Mode()&os.ModeSymlink != 0
	if !info.Mode().IsRegular() && !isLink {
		return invalid("path", "must name a regular file, or not exist")
	}
	return nil
}

// checkDir returns an error if dir does not exist or is not a directory.
func checkDir(dir string) *Error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{
			Code: InvalidArgument,
			Err:  fmt.Errorf("path must be in a directory that exists: %w", err),
			Hint: "create the directory first",
		}
	}
	isFile := err == nil && !info.IsDir()
	if isFile || errors.Is(err, syscall.ENOTDIR) {
		return invalid("path", fmt.Sprintf("must be in a directory that exists: %q is not one", dir))
	}
	// Any other error is reported later, when the temporary file cannot be created.
	return nil
}

// modeOf returns the mode for the new file at path. replaces is true if there is a regular file, which
// the new file replaces, and whose mode it gets.
func modeOf(path string) (mode os.FileMode, replaces bool) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() {
		return info.Mode().Perm(), true
	}
	// The system removes the bits of the umask.
	return 0o666, false
}

// setMode gives the new file the full mode of the file that it replaces, if it replaces one. When the
// new file was created, the system removed the bits of the umask from its mode.
func setMode(file *os.File, mode os.FileMode, replaces bool) error {
	if !replaces {
		return nil
	}
	if info, err := file.Stat(); err == nil && info.Mode().Perm() == mode {
		// Some file systems refuse Chmod.
		return nil
	}
	return file.Chmod(mode)
}

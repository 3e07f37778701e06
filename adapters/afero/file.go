package afero

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/afero"

	"github.com/omnibucket/storage"
)

// A readFile is an object that is open for reading.
type readFile struct {
	*io.SectionReader
	fs     *bucketFs
	name   string
	info   fs.FileInfo
	object *storage.ReaderAt
	closed atomic.Bool
}

// openForReading opens an object for reading, with one request for its attributes.
func (b *bucketFs) openForReading(name string) (afero.File, error) {
	ra, err := storage.NewReaderAt(b.ctx, b.bucket, keyOf(name))
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &readFile{
		SectionReader: io.NewSectionReader(ra, 0, ra.Size()),
		fs:            b,
		name:          name,
		info:          fileInfo{ra.Attrs().FileInfo()},
		object:        ra,
	}, nil
}

func (f *readFile) Name() string                       { return f.name }
func (f *readFile) Stat() (fs.FileInfo, error)         { return f.info, nil }
func (f *readFile) Readdir(int) ([]fs.FileInfo, error) { return nil, notDir(f.name) }
func (f *readFile) Readdirnames(int) ([]string, error) { return nil, notDir(f.name) }

// Sync does nothing, because an object that was opened for reading has no changes.
func (f *readFile) Sync() error {
	if f.closed.Load() {
		return pathError("sync", f.name, fs.ErrClosed)
	}
	return nil
}

// Close closes the object. Each later call fails with fs.ErrClosed.
func (f *readFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	return pathError("close", f.name, f.object.Close())
}

// Read reads from the position of the file.
func (f *readFile) Read(p []byte) (int, error) {
	if f.closed.Load() {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	return f.SectionReader.Read(p)
}

// ReadAt reads at an offset, and does not move the position of the file.
func (f *readFile) ReadAt(p []byte, off int64) (int, error) {
	if f.closed.Load() {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	return f.SectionReader.ReadAt(p, off)
}

// WriteTo writes the rest of the file to w, with one download of the same revision.
func (f *readFile) WriteTo(w io.Writer) (n int64, err error) {
	if f.closed.Load() {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}

	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	// A store would refuse a range after the end.
	if offset >= f.Size() {
		return 0, nil
	}

	opts := []storage.DownloadOption{storage.WithRange(offset, -1)}
	if revision := f.object.Attrs().Revision; revision != "" {
		opts = append(opts, storage.IfRevision(revision))
	}
	r, err := f.fs.bucket.Download(f.fs.ctx, keyOf(f.name), opts...)
	if errors.Is(err, storage.PreconditionFailed) || errors.Is(err, storage.ObjectNotFound) {
		return 0, pathError("read", f.name, storage.Changed)
	}
	if err != nil {
		return 0, pathError("read", f.name, err)
	}

	n, err = r.WriteTo(w)
	// The next read must begin after what was written, also if the copy has failed.
	_, seekErr := f.Seek(offset+n, io.SeekStart)
	return n, errors.Join(err, r.Close(), seekErr)
}

func (f *readFile) Write([]byte) (int, error)          { return 0, readOnly(f.name) }
func (f *readFile) WriteAt([]byte, int64) (int, error) { return 0, readOnly(f.name) }
func (f *readFile) WriteString(string) (int, error)    { return 0, readOnly(f.name) }
func (f *readFile) Truncate(int64) error               { return readOnly(f.name) }

// readOnly returns the error of a write to a file that is open for reading.
func readOnly(name string) error { return pathError("write", name, fs.ErrPermission) }

// A writeFile is an object that is open for writing. Its content is in a temporary file on this
// machine until Close or Sync stores it.
type writeFile struct {
	temp    *os.File
	fs      *bucketFs
	name    string
	appends bool                   // true if the file was opened with O_APPEND
	created *storage.Attrs         // the empty object that O_CREATE stored; nil if it stored none
	options []storage.UploadOption // properties of the object that was opened, which a new version keeps
	closed  atomic.Bool

	mu       sync.Mutex // guards changed and writeErr
	changed  bool
	writeErr error // why the content may be incomplete; nil if it is complete
}

// openForWriting opens an existing object for writing. Unless flag truncates the object, it downloads
// the content.
func (b *bucketFs) openForWriting(name string, flag int) (afero.File, error) {
	f, err := b.newWriteFile(name, flag)
	if err != nil {
		return nil, err
	}

	if flag&os.O_TRUNC != 0 {
		// Even without a write, Close must store the empty content.
		f.changed = true
		return f, nil
	}

	if err := f.load(keyOf(name)); err != nil {
		f.discard()
		return nil, pathError("open", name, err)
	}
	return f, nil
}

// load downloads the content of an object into the temporary file, and keeps its properties for the
// next upload.
func (f *writeFile) load(key string) error {
	r, err := f.fs.bucket.Download(f.fs.ctx, key)
	if err != nil {
		return err
	}
	f.options = f.fs.propertiesOf(r.Attrs())

	_, err = r.WriteTo(f.temp)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	_, err = f.temp.Seek(0, io.SeekStart)
	return err
}

// propertiesOf returns options that give a new object the properties and metadata in a, as far as the
// store supports them.
func (b *bucketFs) propertiesOf(a *storage.Attrs) []storage.UploadOption {
	if !storage.Supports(b.bucket, storage.ContentProperties) {
		return nil
	}
	var opts []storage.UploadOption
	if a.ContentType != "" {
		opts = append(opts, storage.WithContentType(a.ContentType))
	}
	if a.ContentEncoding != "" {
		opts = append(opts, storage.WithContentEncoding(a.ContentEncoding))
	}
	if a.ContentDisposition != "" {
		opts = append(opts, storage.WithContentDisposition(a.ContentDisposition))
	}
	if a.ContentLanguage != "" {
		opts = append(opts, storage.WithContentLanguage(a.ContentLanguage))
	}
	if a.CacheControl != "" {
		opts = append(opts, storage.WithCacheControl(a.CacheControl))
	}
	if len(a.Metadata) > 0 && storage.Supports(b.bucket, storage.Metadata) {
		opts = append(opts, storage.WithMetadata(a.Metadata))
	}
	return opts
}

// newWriteFile returns a writeFile with an empty temporary file, which collects the content.
func (b *bucketFs) newWriteFile(name string, flag int) (*writeFile, error) {
	temp, err := os.CreateTemp("", "omnibucket-afero-")
	if err != nil {
		return nil, pathError("open", name, err)
	}

	// CreateTemp takes no flags, so the file is opened again with O_APPEND.
	appends := flag&os.O_APPEND != 0
	if appends {
		path := temp.Name()
		_ = temp.Close()
		if temp, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0o600); err != nil {
			_ = os.Remove(path)
			return nil, pathError("open", name, err)
		}
	}
	return &writeFile{temp: temp, fs: b, name: name, appends: appends}, nil
}

// discard removes the temporary file.
func (f *writeFile) discard() {
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name())
}

// renameError replaces the path of the temporary file in err by the name of the file that was opened.
func (f *writeFile) renameError(err error) error {
	pathErr, ok := errors.AsType[*fs.PathError](err)
	if !ok || pathErr.Path != f.temp.Name() {
		return err
	}
	return &fs.PathError{Op: pathErr.Op, Path: f.name, Err: pathErr.Err}
}

func (f *writeFile) Name() string { return f.name }

// Stat returns the size and time of the content as written so far, with the name of the file.
func (f *writeFile) Stat() (fs.FileInfo, error) {
	info, err := f.temp.Stat()
	if err != nil {
		return nil, f.renameError(err)
	}
	return namedInfo{FileInfo: fileInfo{info}, key: keyOf(f.name)}, nil
}

func (f *writeFile) Readdir(int) ([]fs.FileInfo, error) { return nil, notDir(f.name) }
func (f *writeFile) Readdirnames(int) ([]string, error) { return nil, notDir(f.name) }

func (f *writeFile) Read(p []byte) (int, error) {
	n, err := f.temp.Read(p)
	return n, f.renameError(err)
}

func (f *writeFile) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.temp.ReadAt(p, offset)
	return n, f.renameError(err)
}

func (f *writeFile) Seek(offset int64, whence int) (int64, error) {
	off, err := f.temp.Seek(offset, whence)
	return off, f.renameError(err)
}

func (f *writeFile) Write(p []byte) (int, error) {
	n, err := f.temp.Write(p)
	return n, f.recordWrite(err)
}

// WriteAt writes p at an offset. Like os.File, it refuses a negative offset, and a file that was opened
// with O_APPEND, without changing the file.
func (f *writeFile) WriteAt(p []byte, offset int64) (int, error) {
	if offset < 0 || f.appends {
		return 0, pathError("write", f.name, fs.ErrInvalid)
	}
	n, err := f.temp.WriteAt(p, offset)
	return n, f.recordWrite(err)
}

func (f *writeFile) WriteString(s string) (int, error) {
	n, err := f.temp.WriteString(s)
	return n, f.recordWrite(err)
}

// ReadFrom appends the bytes of r to the file. io.Copy calls it.
func (f *writeFile) ReadFrom(r io.Reader) (int64, error) {
	n, err := f.temp.ReadFrom(r)
	return n, f.recordWrite(err)
}

// Truncate changes the size of the file. A negative size is an error and changes nothing.
func (f *writeFile) Truncate(size int64) error {
	if size < 0 {
		return pathError("truncate", f.name, fs.ErrInvalid)
	}
	return f.recordWrite(f.temp.Truncate(size))
}

// recordWrite records the result of a write to the temporary file, and returns err with the name of the opened file.
// After a failure the content may be incomplete, so Close stores nothing.
func (f *writeFile) recordWrite(err error) error {
	err = f.renameError(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = true
	// A write after Close fails, but must not change the result of Close.
	if err != nil && !f.closed.Load() {
		f.writeErr = err
	}
	return err
}

// TransferError makes Sync and Close fail without storing anything. Package github.com/pkg/sftp
// calls it if the connection of a client breaks before the file is closed.
func (f *writeFile) TransferError(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writeErr = err
}

// Sync stores the present content of the file under its key. The file stays open.
func (f *writeFile) Sync() error {
	if f.closed.Load() {
		return pathError("sync", f.name, fs.ErrClosed)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.save()
}

// save stores the content if it has changed. The caller must hold f.mu.
func (f *writeFile) save() error {
	if f.writeErr != nil {
		return pathError("sync", f.name, f.writeErr)
	}
	if !f.changed {
		return nil
	}

	err := f.store(f.options)
	// Another tool may have set properties that this library cannot write.
	if errors.Is(err, storage.InvalidArgument) && f.options != nil {
		err = f.store(nil)
	}
	if err != nil {
		return pathError("sync", f.name, err)
	}
	f.changed = false
	return nil
}

// store uploads the content of the temporary file under the name of f.
func (f *writeFile) store(opts []storage.UploadOption) error {
	info, err := f.temp.Stat()
	if err != nil {
		return err
	}
	content := io.NewSectionReader(f.temp, 0, info.Size())
	_, err = f.fs.bucket.Upload(f.fs.ctx, keyOf(f.name), content, opts...)
	return err
}

// removeCreatedTimeout limits the time in which a failed Close removes the empty object of O_CREATE.
const removeCreatedTimeout = 10 * time.Second

// Close stores the content, unless Sync has stored it already. If that fails, it removes the empty
// object that O_CREATE stored.
func (f *writeFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	defer f.discard()

	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.save()
	if err != nil && f.created != nil {
		f.removeCreated()
	}
	return err
}

// removeCreated removes the empty object that O_CREATE has stored, even if the context has ended. It
// ignores its own error, because Close returns the error that came first.
func (f *writeFile) removeCreated() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.fs.ctx), removeCreatedTimeout)
	defer cancel()
	_ = f.fs.bucket.Remove(ctx, keyOf(f.name), storage.IfRevision(f.created.Revision))
}

// namedInfo describes the temporary file, but with the name of the object.
type namedInfo struct {
	fs.FileInfo
	key string
}

func (i namedInfo) Name() string { return baseOf(i.key) }

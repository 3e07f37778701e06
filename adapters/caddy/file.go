package caddy

import (
	"errors"
	"hash/fnv"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/omnibucket/storage"
)

// An objectFile is an open object.
type objectFile struct {
	content *storage.ReaderAt
	key     string
	watch   *watch
	log     *zap.Logger
}

func (f *objectFile) Stat() (fs.FileInfo, error) { return infoOf(f.key, f.content.Attrs()), nil }

// Read reads from the position of the file. It logs a failure, because file_server only cuts the
// response short.
func (f *objectFile) Read(p []byte) (int, error) {
	// The timer cancels the read if it takes too long.
	timer := f.watch.startTimer()
	n, err := f.content.Read(p)
	timer.Stop()
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	f.log.Error("reading a file", zap.String("file", f.key), zap.Error(err))
	return n, f.watch.failure("read", f.key, err)
}

// ReadAt reads from an offset.
func (f *objectFile) ReadAt(p []byte, off int64) (int, error) {
	timer := f.watch.startTimer()
	defer timer.Stop()
	return f.content.ReadAt(p, off)
}

// Seek makes no request.
func (f *objectFile) Seek(offset int64, whence int) (int64, error) {
	return f.content.Seek(offset, whence)
}

func (f *objectFile) Close() error {
	f.watch.cancel()
	return f.content.Close()
}

// A directory is an open directory. It reads as many entries from the store as ReadDir is asked
// for, so that a large directory does not fill the memory.
type directory struct {
	name  string
	watch *watch
	next  func() (storage.ListEntry, error, bool)
	stop  func()
}

// newDirectory opens a directory, "." for the root. Its listing is read only as far as ReadDir needs it.
func newDirectory(f *FileSystem, w *watch, name string) *directory {
	prefix := ""
	if name != "." {
		prefix = name + "/"
	}
	entries := f.bucket.List(w.ctx, storage.WithPrefix(prefix), storage.WithDelimiter("/"), storage.WithAnyOrder())
	next, stop := iter.Pull2(entries)
	return &directory{name: name, watch: w, next: next, stop: stop}
}

// Stat returns the current time as the time of modification. A store does not say when a directory
// has changed, and file_server must not answer 304 for a list of files of which one was removed.
func (d *directory) Stat() (fs.FileInfo, error) {
	info := directoryInfo(d.name)
	info.modified = time.Now()
	return info, nil
}

func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *directory) Close() error {
	d.watch.cancel()
	d.stop()
	return nil
}

// ReadDir returns the next n entries, or all if n is not positive, in the order of the store. It
// leaves out markers of directories and keys without a valid path.
func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	entries := []fs.DirEntry{}
	for n <= 0 || len(entries) < n {
		// The timeout is that of one entry, and not of the whole directory.
		timer := d.watch.startTimer()
		entry, err, ok := d.next()
		timer.Stop()
		if err != nil {
			return entries, d.watch.failure("readdir", d.name, err)
		}
		if !ok {
			break
		}

		name := path.Base(entry.Key)
		isMarker := !entry.IsPrefix && strings.HasSuffix(entry.Key, "/")
		if isMarker || !isFileName(d.name, entry.Key) {
			continue
		}
		if entry.IsPrefix {
			entries = append(entries, directoryInfo(name))
			continue
		}
		entries = append(entries, &fileInfo{
			name:     name,
			size:     entry.Size,
			mode:     0o444,
			modified: modTime(entry.Modified, entry.Revision),
		})
	}

	if n > 0 && len(entries) == 0 {
		return nil, io.EOF
	}
	return entries, nil
}

// isFileName reports whether a key in a directory has a path.
func isFileName(directory, key string) bool {
	key = strings.TrimSuffix(key, "/")
	return fs.ValidPath(key) && path.Dir(key) == directory
}

// A fileInfo describes an object or a directory, as fs.FileInfo and fs.DirEntry.
type fileInfo struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

// infoOf returns the file information of an object.
func infoOf(key string, a *storage.Attrs) *fileInfo {
	return &fileInfo{
		name:     path.Base(key),
		size:     a.Size,
		mode:     0o444,
		modified: modTime(a.Modified, a.Revision),
	}
}

// directoryInfo describes a directory, without a time.
func directoryInfo(name string) *fileInfo {
	return &fileInfo{name: path.Base(name), mode: fs.ModeDir | 0o555}
}

func (i *fileInfo) Name() string               { return i.name }
func (i *fileInfo) Size() int64                { return i.size }
func (i *fileInfo) Mode() fs.FileMode          { return i.mode }
func (i *fileInfo) Type() fs.FileMode          { return i.mode.Type() }
func (i *fileInfo) IsDir() bool                { return i.mode.IsDir() }
func (i *fileInfo) ModTime() time.Time         { return i.modified }
func (i *fileInfo) Sys() any                   { return nil }
func (i *fileInfo) Info() (fs.FileInfo, error) { return i, nil }

// modTime returns the time of modification with a fraction of a second that is made of the revision.
// file_server makes an ETag of the time and the size, so two revisions of the same second need
// different times.
func modTime(modified time.Time, revision string) time.Time {
	// For the Unix epoch, file_server sends neither an ETag nor a Last-Modified.
	if modified.IsZero() {
		return time.Unix(0, 0)
	}
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, revision)
	return modified.Truncate(time.Second).Add(time.Duration(hash.Sum64() % uint64(time.Second)))
}

package afero

import (
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/omnibucket/storage"
)

// A dir is an open directory.
type dir struct {
	fs      *bucketFs
	name    string
	info    fs.FileInfo
	listed  bool
	entries []fs.FileInfo // entries that Readdir has not returned yet
	closed  bool
}

// baseOf returns the last name of a key. For the root, it returns "/".
func baseOf(key string) string { return path.Base("/" + key) }

// notDir returns the error of a file that is read like a directory.
func notDir(name string) error { return pathError("readdir", name, syscall.ENOTDIR) }

// entries returns the files and directories in a directory, sorted by name.
func (b *bucketFs) entries(name string) ([]fs.FileInfo, error) {
	var infos []fs.FileInfo
	for info, err := range b.list(name) {
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	slices.SortStableFunc(infos, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	return infos, nil
}

// checkEmpty fails with ENOTEMPTY if a directory has an entry. It stops at the first one.
func (b *bucketFs) checkEmpty(name string) error {
	for _, err := range b.list(name) {
		if err != nil {
			return err
		}
		return syscall.ENOTEMPTY
	}
	return nil
}

// list yields the files and directories in a directory, sorted by key. It leaves out markers, the objects
// that only keep a directory.
func (b *bucketFs) list(name string) iter.Seq2[fs.FileInfo, error] {
	prefix := keyOf(name)
	if prefix != "" {
		prefix += "/"
	}
	return func(yield func(fs.FileInfo, error) bool) {
		for entry, err := range b.bucket.List(b.ctx, storage.WithPrefix(prefix), storage.WithDelimiter("/")) {
			if err != nil {
				yield(nil, err)
				return
			}

			base := strings.TrimSuffix(entry.Key[len(prefix):], "/")
			// Other tools call their markers "directory/", so the base is empty.
			isMarker := base == "" || (base == Marker && !entry.IsPrefix)
			if isMarker {
				continue
			}

			var info fs.FileInfo = entryInfo{name: base, size: entry.Size, modified: entry.Modified}
			if entry.IsPrefix {
				info = dirInfo(base)
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// An entryInfo describes an entry in a listing, as an [fs.FileInfo].
type entryInfo struct {
	name     string
	size     int64
	modified time.Time
}

func (e entryInfo) Name() string       { return e.name }
func (e entryInfo) Size() int64        { return e.size }
func (e entryInfo) Mode() fs.FileMode  { return fileMode }
func (e entryInfo) ModTime() time.Time { return e.modified }
func (e entryInfo) IsDir() bool        { return false }
func (e entryInfo) Sys() any           { return nil }

// Readdir returns the next count entries. If count is 0 or less, it returns all remaining entries.
// The first call reads the whole listing of the directory.
func (d *dir) Readdir(count int) ([]fs.FileInfo, error) {
	if d.closed {
		return nil, pathError("readdir", d.name, fs.ErrClosed)
	}
	if !d.listed {
		entries, err := d.fs.entries(d.name)
		if err != nil {
			return nil, pathError("readdir", d.name, err)
		}
		d.entries = entries
		d.listed = true
	}

	if count > 0 && len(d.entries) == 0 {
		return nil, io.EOF
	}
	// Without a count, all remaining entries are returned.
	n := len(d.entries)
	if count > 0 {
		n = min(count, n)
	}
	next := d.entries[:n]
	d.entries = d.entries[n:]
	return next, nil
}

// ReadDir implements [fs.ReadDirFile], because Hugo needs it. Directories of package os have it,
// too.
func (d *dir) ReadDir(count int) ([]fs.DirEntry, error) {
	return readEach(d, count, fs.FileInfoToDirEntry)
}

// Readdirnames returns the names of the next count entries, as Readdir does.
func (d *dir) Readdirnames(count int) ([]string, error) { return readEach(d, count, fs.FileInfo.Name) }

// readEach reads the next count entries of a directory, as Readdir does, and converts each of them.
func readEach[T any](d *dir, count int, convert func(fs.FileInfo) T) ([]T, error) {
	infos, err := d.Readdir(count)
	converted := make([]T, len(infos))
	for i, info := range infos {
		converted[i] = convert(info)
	}
	return converted, err
}

func (d *dir) Name() string               { return d.name }
func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Sync() error                { return nil }

// Close closes the directory. Each later call fails with fs.ErrClosed.
func (d *dir) Close() error {
	if d.closed {
		return pathError("close", d.name, fs.ErrClosed)
	}
	d.closed = true
	return nil
}

// Seek supports only the start of the directory, from which Readdir then reads the listing again.
func (d *dir) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, isDir(d.name)
	}
	d.listed = false
	return 0, nil
}

func (d *dir) Read([]byte) (int, error)           { return 0, isDir(d.name) }
func (d *dir) ReadAt([]byte, int64) (int, error)  { return 0, isDir(d.name) }
func (d *dir) Write([]byte) (int, error)          { return 0, isDir(d.name) }
func (d *dir) WriteAt([]byte, int64) (int, error) { return 0, isDir(d.name) }
func (d *dir) WriteString(string) (int, error)    { return 0, isDir(d.name) }
func (d *dir) Truncate(int64) error               { return isDir(d.name) }

// isDir returns the error of a directory that is used like a file.
func isDir(name string) error { return pathError("read", name, syscall.EISDIR) }

package storage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/omnibucket/storage/internal/objectkey"
)

// FS returns b as a read-only fs.FS, ReadDirFS, ReadFileFS, StatFS and SubFS. Its files can seek
// and read at offsets, as http.FileServerFS needs. Common prefixes that end in "/" are directories,
// whose entries are read into memory. If a directory and an object have the same name, only the
// directory is visible. Keys that fs.ValidPath refuses are not visible. ctx governs all operations.
func FS(ctx context.Context, b interface {
	Downloader
	Lister
	AttrsReader
}) fs.FS {
	return &fileSystem{ctx: ctx, b: orFailing(b)}
}

// A fileSystem implements FS. It keeps the context, because the methods of fs.FS take none.
type fileSystem struct {
	ctx context.Context
	b   interface {
		Downloader
		Lister
		AttrsReader
	}
	root string // "" or a path that ends in "/"
}

// fail returns err as the error of an operation on a name.
func (f *fileSystem) fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Open opens an object or a directory.
func (f *fileSystem) Open(name string) (fs.File, error) {
	isDir, err := f.isDir(name)
	// In some stores, an empty directory shows only in the error.
	if isDir || isEmptyDir(err) {
		return &directory{fsys: f, name: name}, nil
	}
	if err != nil {
		return nil, f.fail("open", name, err)
	}

	// No object is below the name, so it may be an object or an empty directory.
	content, err := NewReaderAt(f.ctx, f.b, f.root+name)
	if isEmptyDir(err) {
		return &directory{fsys: f, name: name}, nil
	}
	if err != nil {
		return nil, f.fail("open", name, err)
	}
	return &objectFile{content: content, info: infoOf(path.Base(name), content.Attrs())}, nil
}

// isDir reports whether name is a directory, as the root always is. It fails with fs.ErrInvalid or
// fs.ErrNotExist for a name that no object can have.
func (f *fileSystem) isDir(name string) (bool, error) {
	if !fs.ValidPath(name) {
		return false, fs.ErrInvalid
	}
	if name == "." {
		return true, nil
	}

	keyBytes := f.keyBytes(name)
	if keyBytes > objectkey.MaxBytes {
		// No key can be as long as this name.
		return false, fs.ErrNotExist
	}
	if keyBytes == objectkey.MaxBytes {
		// The name is not a directory, because a key below it would be too long.
		return false, nil
	}

	// The delimiter saves requests: without it, a store that lists folder by folder would make a
	// request for each folder below.
	prefix := f.root + name + "/"
	for entry, err := range f.b.List(f.ctx, WithPrefix(prefix), WithDelimiter("/"), WithLimit(1), WithAnyOrder()) {
		if err != nil {
			return false, err
		}
		// One entry is enough.
		return entry.Key != "", nil
	}
	return false, nil
}

// keyBytes returns the length of the whole key of an object with this name.
func (f *fileSystem) keyBytes(name string) int { return len(prefixOf(f.b)) + len(f.root) + len(name) }

// isEmptyDir reports whether a read failed because name is an empty directory in the store, and not
// an object. Azure accounts with a hierarchical namespace have such directories.
func isEmptyDir(err error) bool { return errors.Is(err, syscall.EISDIR) }

// prefixOf returns the prefix that b adds to each key if it is a view from Prefixed, or "".
func prefixOf(b any) string {
	if f, ok := b.(*front); ok {
		return f.scope.Prefix
	}
	return ""
}

// Stat describes an object or a directory.
func (f *fileSystem) Stat(name string) (fs.FileInfo, error) {
	isDir, err := f.isDir(name)
	// In some stores, an empty directory shows only in the error.
	if isDir || isEmptyDir(err) {
		return &fileInfo{name: path.Base(name), dir: true}, nil
	}
	if err != nil {
		return nil, f.fail("stat", name, err)
	}

	// No object is below the name, so it may be an object or an empty directory.
	attrs, err := f.b.Attrs(f.ctx, f.root+name)
	if isEmptyDir(err) {
		return &fileInfo{name: path.Base(name), dir: true}, nil
	}
	if err != nil {
		return nil, f.fail("stat", name, err)
	}
	return infoOf(path.Base(name), attrs), nil
}

// ReadFile reads an object into memory. It fails if name is a directory.
func (f *fileSystem) ReadFile(name string) ([]byte, error) {
	isDir, err := f.isDir(name)
	if err != nil {
		return nil, f.fail("read", name, err)
	}
	if isDir {
		return nil, f.fail("read", name, errors.New("is a directory"))
	}
	data, _, err := ReadAll(f.ctx, f.b, f.root+name)
	if err != nil {
		return nil, f.fail("read", name, err)
	}
	return data, nil
}

// ReadDir returns the entries of a directory, sorted by name.
func (f *fileSystem) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, f.fail("readdir", name, fs.ErrInvalid)
	}

	// If the name is as long as the longest key, nothing can be below it.
	if f.keyBytes(name) < objectkey.MaxBytes {
		entries, err := f.entries(name)
		if err != nil {
			return nil, f.fail("readdir", name, err)
		}
		if len(entries) > 0 {
			return entries, nil
		}
	}

	// Nothing is below the name, so it is an empty directory, a file, or does not exist.
	if err := f.checkEmptyDir(name); err != nil {
		return nil, f.fail("readdir", name, err)
	}
	return []fs.DirEntry{}, nil
}

// checkEmptyDir returns nil if name is an empty directory, and an error if it is a file or does not
// exist. A listing has shown that nothing is below name.
func (f *fileSystem) checkEmptyDir(name string) error {
	isDir, err := f.isDir(name)
	// In some stores, an empty directory shows only in the error.
	if isDir || isEmptyDir(err) {
		return nil
	}
	if err != nil {
		return err
	}

	// The name may be that of an object, or of an empty directory that only a request for it detects.
	_, err = f.b.Attrs(f.ctx, f.root+name)
	if isEmptyDir(err) {
		return nil
	}
	if err != nil {
		// Without an object, this is ObjectNotFound.
		return err
	}
	return errors.New("not a directory")
}

// entries returns the content of a directory, sorted by name. A listing has another order, because it
// sorts a subdirectory as if its name ended in a slash.
func (f *fileSystem) entries(name string) ([]fs.DirEntry, error) {
	prefix := f.root
	if name != "." {
		prefix += name + "/"
	}

	byName := map[string]*fileInfo{}
	for entry, err := range f.b.List(f.ctx, WithPrefix(prefix), WithDelimiter("/"), WithAnyOrder()) {
		if err != nil {
			return nil, err
		}

		// Skip folder markers, which are objects whose key ends in a slash, and names that fs forbids.
		isMarker := !entry.IsPrefix && strings.HasSuffix(entry.Key, "/")
		base := strings.TrimSuffix(strings.TrimPrefix(entry.Key, prefix), "/")
		if isMarker || base == "." || !fs.ValidPath(base) {
			continue
		}

		if entry.IsPrefix {
			// A directory hides the object with the same name.
			byName[base] = &fileInfo{name: base, dir: true}
			continue
		}
		// The object must not replace a directory with the same name.
		if byName[base] == nil {
			byName[base] = &fileInfo{name: base, size: entry.Size, modified: entry.Modified, sys: &entry}
		}
	}

	// The listing has no order, and the map has none either.
	entries := make([]fs.DirEntry, 0, len(byName))
	for _, info := range byName {
		entries = append(entries, info)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Compare(a.Name(), b.Name())
	})
	return entries, nil
}

// Sub returns the file system of a directory.
func (f *fileSystem) Sub(dir string) (fs.FS, error) {
	if !fs.ValidPath(dir) {
		return nil, f.fail("sub", dir, fs.ErrInvalid)
	}
	if dir == "." {
		return f, nil
	}
	return &fileSystem{ctx: f.ctx, b: f.b, root: f.root + dir + "/"}, nil
}

// An objectFile is an open object. It gets ReadAt, Read, Seek and Close from ReaderAt.
type objectFile struct {
	content *ReaderAt
	info    *fileInfo
}

func (f *objectFile) Stat() (fs.FileInfo, error)                { return f.info, nil }
func (f *objectFile) Read(p []byte) (int, error)                { return f.content.Read(p) }
func (f *objectFile) ReadAt(p []byte, off int64) (int, error)   { return f.content.ReadAt(p, off) }
func (f *objectFile) Seek(off int64, whence int) (int64, error) { return f.content.Seek(off, whence) }
func (f *objectFile) Close() error                              { return f.content.Close() }

// A directory is the fs.File of a directory. It lists the entries at the first ReadDir.
type directory struct {
	fsys     *fileSystem
	name     string
	entries  []fs.DirEntry // nil until the first ReadDir
	returned int           // number of entries that ReadDir has returned
	closed   bool
}

func (d *directory) Stat() (fs.FileInfo, error) {
	return &fileInfo{name: path.Base(d.name), dir: true}, nil
}

func (d *directory) Read([]byte) (int, error) {
	return 0, d.fsys.fail("read", d.name, errors.New("is a directory"))
}

func (d *directory) Close() error {
	d.closed = true
	return nil
}

// ReadDir returns the next n entries, and io.EOF if none is left. If n is not above 0, it returns all
// that are left, and no io.EOF.
func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.closed {
		return nil, d.fsys.fail("readdir", d.name, fs.ErrClosed)
	}
	if d.entries == nil {
		entries, err := d.fsys.entries(d.name)
		if err != nil {
			return nil, d.fsys.fail("readdir", d.name, err)
		}
		d.entries = entries
	}

	remaining := d.entries[d.returned:]
	if n > 0 && len(remaining) == 0 {
		return nil, io.EOF
	}
	count := len(remaining)
	if n > 0 {
		count = min(n, count)
	}
	d.returned += count
	return slices.Clone(remaining[:count]), nil
}

// A fileInfo describes an object or directory, as fs.FileInfo and fs.DirEntry.
type fileInfo struct {
	name     string
	size     int64
	modified time.Time
	dir      bool
	sys      any // *Attrs or *ListEntry
}

// FileInfo describes the object as a file with the mode 0444. The method Sys of the result
// returns the Attrs.
func (a *Attrs) FileInfo() fs.FileInfo { return infoOf(path.Base(a.Key), a) }

func infoOf(name string, a *Attrs) *fileInfo {
	return &fileInfo{name: name, size: a.Size, modified: a.Modified, sys: a}
}

func (i *fileInfo) Name() string               { return i.name }
func (i *fileInfo) Size() int64                { return i.size }
func (i *fileInfo) ModTime() time.Time         { return i.modified }
func (i *fileInfo) IsDir() bool                { return i.dir }
func (i *fileInfo) Sys() any                   { return i.sys }
func (i *fileInfo) Type() fs.FileMode          { return i.Mode().Type() }
func (i *fileInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i *fileInfo) String() string             { return fs.FormatDirEntry(i) }

// Mode returns the mode of a directory or file that everybody may read and nobody may write.
func (i *fileInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

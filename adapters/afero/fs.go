// Package afero makes a file system of package github.com/spf13/afero of any [storage.Bucket].
//
//	fs := afero.New(ctx, bucket)
//	err := spf13.WriteFile(fs, "reports/2026.txt", report, 0o644)
//
// # What an object store can do
//
//   - A file is an object, and its path is the key without the slash at its beginning. A path that
//     is no valid key is an error (fs.ErrInvalid).
//   - A file that is open for writing is a temporary file of this machine. Close and Sync store
//     it, whole or not at all. The last one of several writers to close wins. Check the error
//     of Close.
//   - If a Write, or io.Copy into a file, fails, Close stores nothing and fails. The method
//     TransferError(error) of such a file has the same effect. If Close fails, the object stays as
//     it was, and a new one is removed if the store has conditional removals: that takes up to 10
//     seconds, also if ctx is done.
//   - O_CREATE stores an empty object at once; with O_EXCL only if there is none, atomically if the
//     store has conditional writes. O_APPEND, and O_RDWR without O_TRUNC, download the object
//     first: an append costs as much as a whole upload. The object keeps its content type, its
//     other properties and its metadata.
//   - O_TRUNC without O_WRONLY or O_RDWR has no effect. A file of O_WRONLY can be read too.
//   - If an object is renamed or removed while a file is open for writing, Close stores what was
//     written under the name at OpenFile.
//   - A file that is open for reading reads only the requested bytes from the store, of one
//     revision throughout.
//   - Rename moves each object as [storage.Move] does. Without [storage.ServerMove] the store copies it,
//     then removes it: that takes longer for a large object, and four requests. It is not atomic. If
//     it is cut, both names may be there, and never neither. If another writer replaces the file
//     meanwhile, its object stays, and Rename fails with Changed. A file replaces a file, and a folder
//     takes the place of nothing or of an empty folder.
//   - There are no directories: one exists while an object is below it, or while the empty object
//     that Mkdir leaves in it is there ([Marker], which listings do not show). The directory of
//     a new file need not exist. One file may have the name of another one's directory, if the
//     store has [storage.KeysBesideFolders].
//   - There are no modes, owners and times to set: Chmod, Chown and Chtimes fail with
//     errors.ErrUnsupported. Files have the mode 0644 and directories 0755. CopyOnWriteFs and
//     CacheOnReadFs set times in their layer: it can be the base of these only.
package afero

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"github.com/omnibucket/storage"
)

// Marker is the name of the empty object that Mkdir stores in a directory.
const Marker = ".directory"

const (
	fileMode = fs.FileMode(0o644)
	dirMode  = fs.ModeDir | 0o755
)

// New returns a file system whose root is b. ctx governs all of its calls, which have none of
// their own.
func New(ctx context.Context, b storage.Bucket) afero.Fs { return &bucketFs{ctx: ctx, bucket: b} }

type bucketFs struct {
	ctx    context.Context
	bucket storage.Bucket
}

func (*bucketFs) Name() string { return "omnibucket" }

// keyOf returns the key of a path; "" is the root.
func keyOf(name string) string {
	return strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
}

// failed makes an error that os and io/fs know. os.IsNotExist, which package afero uses, does not
// look into errors of this library.
func failed(op, name string, err error) error {
	switch storage.CodeOf(err) {
	case "":
		return nil
	case storage.ObjectNotFound:
		err = fs.ErrNotExist
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}

func (b *bucketFs) Create(name string) (afero.File, error) {
	return b.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode)
}

func (b *bucketFs) Open(name string) (afero.File, error) { return b.OpenFile(name, os.O_RDONLY, 0) }

func (b *bucketFs) OpenFile(name string, flag int, _ fs.FileMode) (afero.File, error) {
	const writes = os.O_WRONLY | os.O_RDWR | os.O_CREATE | os.O_TRUNC
	if flag&writes == 0 && keyOf(name) != "" {
		f, err := b.read(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	info, err := b.stat(name)
	switch {
	case err == nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, failed("open", name, fs.ErrExist)
	case err == nil && info.IsDir() && flag&writes != 0:
		return nil, failed("open", name, syscall.EISDIR)
	case err == nil && info.IsDir():
		return &dir{fs: b, name: name, info: info}, nil
	case errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0:
		return b.create(name, flag)
	case err != nil:
		return nil, failed("open", name, err)
	case flag&(os.O_WRONLY|os.O_RDWR) != 0:
		return b.edit(name, flag)
	}
	return b.read(name)
}

// create stores an empty object and opens it.
func (b *bucketFs) create(name string, flag int) (afero.File, error) {
	if keyOf(name) == "" || path.Base(keyOf(name)) == Marker {
		return nil, failed("open", name, fs.ErrInvalid)
	}
	var opts []storage.UploadOption
	if storage.Supports(b.bucket, storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	created, err := b.bucket.Upload(b.ctx, keyOf(name), strings.NewReader(""), opts...)
	switch {
	case errors.Is(err, storage.PreconditionFailed) && flag&os.O_EXCL != 0:
		return nil, failed("open", name, fs.ErrExist)
	case errors.Is(err, storage.PreconditionFailed): // another one was first
		return b.OpenFile(name, flag&^os.O_CREATE, fileMode)
	case err != nil:
		return nil, failed("open", name, err)
	case flag&(os.O_WRONLY|os.O_RDWR) == 0:
		return b.read(name)
	}
	f, err := b.temporary(name, flag)
	if err != nil {
		return nil, err
	}
	f.created = created
	return f, nil
}

func (b *bucketFs) Mkdir(name string, _ fs.FileMode) error {
	if info, err := b.stat(name); err == nil && info != nil {
		return failed("mkdir", name, fs.ErrExist)
	}
	return failed("mkdir", name, b.mark(keyOf(name)))
}

// MkdirAll leaves a marker in the last directory only; those above it are there by it.
func (b *bucketFs) MkdirAll(name string, _ fs.FileMode) error {
	for at := keyOf(name); at != "" && at != "."; at = path.Dir(at) {
		info, err := b.stat(at)
		switch {
		case err == nil && !info.IsDir():
			return failed("mkdir", name, syscall.ENOTDIR)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return failed("mkdir", name, err)
		}
	}
	if keyOf(name) == "" {
		return nil
	}
	return failed("mkdir", name, b.mark(keyOf(name)))
}

func (b *bucketFs) mark(key string) error {
	_, err := b.bucket.Upload(b.ctx, key+"/"+Marker, strings.NewReader(""))
	return err
}

func (b *bucketFs) Remove(name string) error {
	info, err := b.stat(name)
	if err != nil {
		return failed("remove", name, err)
	}
	if !info.IsDir() {
		return failed("remove", name, b.bucket.Remove(b.ctx, keyOf(name)))
	}
	if err := b.checkEmpty(name); err != nil {
		return failed("remove", name, err)
	}
	marks := []string{keyOf(name) + "/" + Marker, keyOf(name) + "/"} // other tools leave the second
	_, err = storage.RemoveAll(b.ctx, b.bucket, slices.Values(marks))
	return failed("remove", name, err)
}

func (b *bucketFs) RemoveAll(name string) error {
	key := keyOf(name)
	if key == "" {
		_, err := storage.RemoveMatching(b.ctx, b.bucket, func(storage.ListEntry) bool { return true })
		return failed("removeall", name, err)
	}
	if err := b.bucket.Remove(b.ctx, key); err != nil {
		return failed("removeall", name, err)
	}
	_, err := storage.RemoveMatching(
		b.ctx, b.bucket, func(storage.ListEntry) bool { return true }, storage.WithPrefix(key+"/"),
	)
	return failed("removeall", name, err)
}

func (b *bucketFs) Rename(from, to string) error {
	info, err := b.stat(from)
	if err != nil {
		return failed("rename", from, err)
	}
	source, target := keyOf(from), keyOf(to)
	if source == target {
		return nil
	}
	if err := b.replaces(info, to); err != nil {
		return failed("rename", to, err)
	}
	if !info.IsDir() {
		return failed("rename", from, b.move(source, target))
	}
	if source == "" || strings.HasPrefix(target+"/", source+"/") {
		return failed("rename", from, fs.ErrInvalid)
	}
	for entry, err := range b.bucket.List(b.ctx, storage.WithPrefix(source+"/")) {
		moved := target + entry.Key[len(source):]
		if strings.HasSuffix(moved, "/") { // other tools mark a folder so
			moved += Marker
		}
		if err == nil {
			err = b.move(entry.Key, moved)
		}
		if err != nil {
			return failed("rename", from, err)
		}
	}
	return nil
}

// replaces checks that a file or directory may take the place of what is at a path, as on a disk.
func (b *bucketFs) replaces(source fs.FileInfo, to string) error {
	if keyOf(to) == "" || path.Base(keyOf(to)) == Marker {
		return fs.ErrInvalid
	}
	target, err := b.stat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !target.IsDir() && source.IsDir():
		return syscall.ENOTDIR
	case !target.IsDir():
		return nil
	case !source.IsDir():
		return syscall.EISDIR
	}
	return b.checkEmpty(to)
}

func (b *bucketFs) move(from, to string) error {
	_, err := storage.Move(b.ctx, b.bucket, from, to)
	return err
}

func (b *bucketFs) Stat(name string) (fs.FileInfo, error) {
	info, err := b.stat(name)
	return info, failed("stat", name, err)
}

// stat returns a file or, if something is below it, a directory.
func (b *bucketFs) stat(name string) (fs.FileInfo, error) {
	key := keyOf(name)
	if key == "" {
		return dirInfo("/"), nil
	}
	a, err := b.bucket.Attrs(b.ctx, key)
	if err == nil {
		return fileInfo{a.FileInfo()}, nil
	}
	if !errors.Is(err, storage.ObjectNotFound) {
		return nil, err
	}
	for _, err := range b.bucket.List(b.ctx, storage.WithPrefix(key+"/"), storage.WithLimit(1)) {
		if err != nil {
			return nil, err
		}
		return dirInfo(path.Base(key)), nil
	}
	return nil, fs.ErrNotExist
}

func (*bucketFs) Chmod(name string, _ fs.FileMode) error {
	return failed("chmod", name, errors.ErrUnsupported)
}

func (*bucketFs) Chown(name string, _, _ int) error {
	return failed("chown", name, errors.ErrUnsupported)
}

func (*bucketFs) Chtimes(name string, _, _ time.Time) error {
	return failed("chtimes", name, errors.ErrUnsupported)
}

// fileInfo describes a file.
type fileInfo struct{ fs.FileInfo }

func (fileInfo) Mode() fs.FileMode { return fileMode }

// dirInfo is the name of a directory.
type dirInfo string

func (d dirInfo) Name() string     { return string(d) }
func (dirInfo) Size() int64        { return 0 }
func (dirInfo) Mode() fs.FileMode  { return dirMode }
func (dirInfo) ModTime() time.Time { return time.Time{} }
func (dirInfo) IsDir() bool        { return true }
func (dirInfo) Sys() any           { return nil }

// Package afero turns any [storage.Bucket] into a file system of package github.com/spf13/afero.
//
//	fs := afero.New(ctx, bucket)
//	err := spf13.WriteFile(fs, "reports/2026.txt", report, 0o644)
//
// # What an object store can do
//
//   - A file is an object. Its key is the path without the slash at the beginning. If the key would
//     be invalid, the call fails with fs.ErrInvalid.
//   - A file that is open for writing is a temporary file on this machine. Close and Sync store it,
//     either completely or not at all. If several writers have the same file open, the last one to
//     close it wins. Check the error of Close.
//   - If a Write, or io.Copy into a file, fails, Close stores nothing and fails. The method
//     TransferError(error) of such a file has the same effect. If Close fails, an existing object
//     does not change. An object that O_CREATE has made is removed, if the store has conditional
//     removals. That takes up to 10 seconds, even if ctx has ended.
//   - O_CREATE stores an empty object immediately. With O_EXCL, it fails if the object exists. That
//     check is atomic if the store has conditional writes. O_APPEND, and O_RDWR without O_TRUNC,
//     download the object first. So an append costs as much as an upload of the whole file. The
//     object keeps its content type, its other properties and its metadata.
//   - O_TRUNC without O_WRONLY or O_RDWR has no effect. A file that was opened with O_WRONLY can be
//     read, too.
//   - If a file is renamed or removed while it is open for writing, Close stores it under the name
//     that was passed to OpenFile.
//   - A file that is open for reading requests only the bytes that are read. All of them come from
//     the same revision of the object.
//   - Rename moves each object as [storage.Move] does. Without [storage.ServerMove], Move copies
//     the object and then removes it. That takes four requests, and longer for a large object. Such
//     a Rename is not atomic. If it is interrupted, the file may exist under both names, but never
//     under none. If another writer replaces the file meanwhile, the new object stays, and Rename
//     fails with Changed. A file can replace only a file, and a directory only an empty directory.
//   - There are no real directories. A directory exists as long as there is an object below it,
//     such as the empty object that Mkdir stores in it ([Marker], which listings do not show). The
//     directory of a new file need not exist. If the store has [storage.KeysBesideFolders], a file
//     and a directory may have the same name.
//   - Modes, owners and times cannot be set: Chmod, Chown and Chtimes fail with
//     errors.ErrUnsupported. Files have the mode 0644 and directories 0755. CopyOnWriteFs and
//     CacheOnReadFs set times in their upper layer, so this file system can only be their base.
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

// New returns a file system whose root is b. All of its calls use ctx, because afero's methods have
// no context.
func New(ctx context.Context, b storage.Bucket) afero.Fs { return &bucketFs{ctx: ctx, bucket: b} }

// A bucketFs implements [afero.Fs].
type bucketFs struct {
	ctx    context.Context // of all calls, because afero's methods have none
	bucket storage.Bucket
}

func (*bucketFs) Name() string { return "omnibucket" }

// keyOf returns the key of a path. For the root, it returns "".
func keyOf(name string) string {
	return strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
}

// pathError wraps err in an *os.PathError, and returns nil if err is nil. A missing object becomes
// fs.ErrNotExist, because os.IsNotExist, which package afero calls, does not unwrap errors.
func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if storage.CodeOf(err) == storage.ObjectNotFound {
		err = fs.ErrNotExist
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}

func (b *bucketFs) Create(name string) (afero.File, error) {
	return b.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode)
}

func (b *bucketFs) Open(name string) (afero.File, error) { return b.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file or a directory. It ignores the mode.
func (b *bucketFs) OpenFile(name string, flag int, _ fs.FileMode) (afero.File, error) {
	const writeFlags = os.O_WRONLY | os.O_RDWR
	onlyReads := flag&(writeFlags|os.O_CREATE|os.O_TRUNC) == 0
	mayCreate := flag&os.O_CREATE != 0
	mustCreate := mayCreate && flag&os.O_EXCL != 0

	// An object is opened for reading without a request for its attributes.
	if onlyReads && keyOf(name) != "" {
		f, err := b.openForReading(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}

	// The name may be that of a directory, or of an object to write.
	info, err := b.stat(name)
	if errors.Is(err, fs.ErrNotExist) && mayCreate {
		return b.create(name, flag)
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if mustCreate {
		return nil, pathError("open", name, fs.ErrExist)
	}
	if info.IsDir() {
		if !onlyReads {
			return nil, pathError("open", name, syscall.EISDIR)
		}
		return &dir{fs: b, name: name, info: info}, nil
	}

	if flag&writeFlags != 0 {
		return b.openForWriting(name, flag)
	}
	// O_CREATE alone opens an object that exists for reading.
	return b.openForReading(name)
}

// create stores an empty object and opens it. If another writer creates the object first, it opens that
// one, unless flag has O_EXCL.
func (b *bucketFs) create(name string, flag int) (afero.File, error) {
	if keyOf(name) == "" || path.Base(keyOf(name)) == Marker {
		return nil, pathError("open", name, fs.ErrInvalid)
	}

	var opts []storage.UploadOption
	if storage.Supports(b.bucket, storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}

	created, err := b.bucket.Upload(b.ctx, keyOf(name), strings.NewReader(""), opts...)
	if errors.Is(err, storage.PreconditionFailed) {
		// Another writer has created the object first.
		if flag&os.O_EXCL != 0 {
			return nil, pathError("open", name, fs.ErrExist)
		}
		return b.OpenFile(name, flag&^os.O_CREATE, fileMode)
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}

	if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return b.openForReading(name)
	}
	f, err := b.newWriteFile(name, flag)
	if err != nil {
		return nil, err
	}
	// A writer that cannot store its content removes the empty object.
	f.created = created
	return f, nil
}

// Mkdir creates a directory by storing a marker in it. It fails if a file or directory with this name
// exists.
func (b *bucketFs) Mkdir(name string, _ fs.FileMode) error {
	// If a request of stat fails, so does that of storeMarker.
	if _, err := b.stat(name); err == nil {
		return pathError("mkdir", name, fs.ErrExist)
	}
	return pathError("mkdir", name, b.storeMarker(keyOf(name)))
}

// MkdirAll creates a directory by storing a marker in it. The directories above it exist because of
// that marker, unless one of them is a file, which is an error.
func (b *bucketFs) MkdirAll(name string, _ fs.FileMode) error {
	for dir := keyOf(name); dir != "" && dir != "."; dir = path.Dir(dir) {
		info, err := b.stat(dir)
		if err == nil && !info.IsDir() {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return pathError("mkdir", name, err)
		}
	}
	if keyOf(name) == "" {
		return nil
	}
	return pathError("mkdir", name, b.storeMarker(keyOf(name)))
}

// storeMarker stores the marker of a directory.
func (b *bucketFs) storeMarker(key string) error {
	_, err := b.bucket.Upload(b.ctx, key+"/"+Marker, strings.NewReader(""))
	return err
}

// Remove removes a file, or the markers of an empty directory.
func (b *bucketFs) Remove(name string) error {
	info, err := b.stat(name)
	if err != nil {
		return pathError("remove", name, err)
	}
	if !info.IsDir() {
		return pathError("remove", name, b.bucket.Remove(b.ctx, keyOf(name)))
	}
	if err := b.checkEmpty(name); err != nil {
		return pathError("remove", name, err)
	}

	folder := keyOf(name) + "/"
	// Other tools mark a directory by an object whose key is "dir/".
	markerOfOtherTools := folder
	markers := []string{folder + Marker, markerOfOtherTools}
	_, err = storage.RemoveAll(b.ctx, b.bucket, slices.Values(markers))
	return pathError("remove", name, err)
}

// RemoveAll removes a file, and everything below a directory of this name. It returns nil if there is
// neither.
func (b *bucketFs) RemoveAll(name string) error {
	everything := func(storage.ListEntry) bool { return true }
	key := keyOf(name)
	if key == "" {
		_, err := storage.RemoveMatching(b.ctx, b.bucket, everything)
		return pathError("removeall", name, err)
	}

	if err := b.bucket.Remove(b.ctx, key); err != nil {
		return pathError("removeall", name, err)
	}
	_, err := storage.RemoveMatching(b.ctx, b.bucket, everything, storage.WithPrefix(key+"/"))
	return pathError("removeall", name, err)
}

// Rename moves a file, or all objects below a directory, one after another. If a move fails, the
// objects before it keep their new names.
func (b *bucketFs) Rename(src, dst string) error {
	info, err := b.stat(src)
	if err != nil {
		return pathError("rename", src, err)
	}

	source := keyOf(src)
	target := keyOf(dst)
	if source == target {
		return nil
	}
	if err := b.checkRename(info, dst); err != nil {
		return pathError("rename", dst, err)
	}

	if !info.IsDir() {
		return pathError("rename", src, b.move(source, target))
	}
	// The root cannot move, and no directory can move into itself.
	if source == "" || strings.HasPrefix(target+"/", source+"/") {
		return pathError("rename", src, fs.ErrInvalid)
	}

	return pathError("rename", src, b.moveDirectory(source, target))
}

// moveDirectory moves all objects below source, the key of a directory, to the same names below target.
func (b *bucketFs) moveDirectory(source, target string) error {
	for entry, err := range b.bucket.List(b.ctx, storage.WithPrefix(source+"/")) {
		if err != nil {
			return err
		}

		newKey := target + strings.TrimPrefix(entry.Key, source)
		// Other tools mark a directory by an object whose key is "dir/".
		isMarkerOfOtherTool := strings.HasSuffix(newKey, "/")
		if isMarkerOfOtherTool {
			newKey += Marker
		}
		if err := b.move(entry.Key, newKey); err != nil {
			return err
		}
	}
	return nil
}

// checkRename fails if a local file system would not rename source, a file or directory, to dst.
func (b *bucketFs) checkRename(source fs.FileInfo, dst string) error {
	// The root exists already, and the name of markers is reserved.
	if keyOf(dst) == "" || path.Base(keyOf(dst)) == Marker {
		return fs.ErrInvalid
	}
	target, err := b.stat(dst)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}

	switch {
	case source.IsDir() && target.IsDir():
		return b.checkEmpty(dst)
	case source.IsDir():
		return syscall.ENOTDIR
	case target.IsDir():
		return syscall.EISDIR
	}
	return nil
}

// move moves one object.
func (b *bucketFs) move(src, dst string) error {
	_, err := storage.Move(b.ctx, b.bucket, src, dst)
	return err
}

func (b *bucketFs) Stat(name string) (fs.FileInfo, error) {
	info, err := b.stat(name)
	return info, pathError("stat", name, err)
}

// stat returns the file with this name or, if there is none but keys are below the name, the
// directory.
func (b *bucketFs) stat(name string) (fs.FileInfo, error) {
	key := keyOf(name)
	if key == "" {
		return dirInfo("/"), nil
	}

	attrs, err := b.bucket.Attrs(b.ctx, key)
	if err == nil {
		return fileInfo{attrs.FileInfo()}, nil
	}
	if !errors.Is(err, storage.ObjectNotFound) {
		return nil, err
	}

	// A directory exists if a key is below it.
	for _, err := range b.bucket.List(b.ctx, storage.WithPrefix(key+"/"), storage.WithLimit(1)) {
		if err != nil {
			return nil, err
		}
		return dirInfo(path.Base(key)), nil
	}
	return nil, fs.ErrNotExist
}

func (*bucketFs) Chmod(name string, _ fs.FileMode) error {
	return pathError("chmod", name, errors.ErrUnsupported)
}

func (*bucketFs) Chown(name string, _, _ int) error {
	return pathError("chown", name, errors.ErrUnsupported)
}

func (*bucketFs) Chtimes(name string, _, _ time.Time) error {
	return pathError("chtimes", name, errors.ErrUnsupported)
}

// fileInfo describes an object, with the mode of a file.
type fileInfo struct{ fs.FileInfo }

func (fileInfo) Mode() fs.FileMode { return fileMode }

// dirInfo describes the directory that has this name.
type dirInfo string

func (d dirInfo) Name() string     { return string(d) }
func (dirInfo) Size() int64        { return 0 }
func (dirInfo) Mode() fs.FileMode  { return dirMode }
func (dirInfo) ModTime() time.Time { return time.Time{} }
func (dirInfo) IsDir() bool        { return true }
func (dirInfo) Sys() any           { return nil }

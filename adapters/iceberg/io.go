// Package iceberg lets github.com/apache/iceberg-go store tables of Apache Iceberg in any
// [storage.Bucket].
//
//	err := iceberg.Register("s3://lake", bucket) // in place of importing iceberg-go/io/gocloud/s3
//
// After that call, iceberg-go reads and writes the files below s3://lake/ in the bucket, with any
// catalog. The locations in metadata do not change, so other engines can read the same tables.
// [New] returns the IO interface of iceberg-go for one bucket without registering it.
//
// # What changes in meaning
//
//   - A file is an object. Close of its writer stores it, either completely or not at all. A second
//     Close returns the same result. If a Write has failed, Close stores nothing and fails.
//   - An open file always reads the same revision. If the object is replaced or removed, reading
//     fails with Changed. ReadAt caches blocks and reads ahead ([storage.NewReaderAt]).
//   - Open makes one request. If the name ends in ".avro", it requests the content, because
//     manifests are read from start to end. Otherwise it requests the attributes.
//   - RenameNoReplace is atomic, so that only one of several writers succeeds. The Hadoop catalog
//     commits with it. If the store has no conditional writes, it fails with Unsupported. If the
//     store can move objects, Rename and RenameNoReplace make one request. Otherwise they copy
//     inside the store, and then remove the source. If another writer has replaced the source
//     meanwhile, the new file stays.
//   - There are no real directories. A directory exists as long as there is an object below it,
//     such as the empty object that MkdirAll stores in it ([Marker], which WalkDir does not show).
//   - DeleteFiles removes many files with one request, if the provider can.
//   - An error is a *fs.PathError that wraps a *[storage.Error]. errors.Is recognizes the errors of
//     io/fs and the codes of package storage.
package iceberg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/omnibucket/storage"
)

// Marker is the name of the empty object that MkdirAll stores in a directory. Hadoop and Spark
// hide names that begin with a dot.
const Marker = ".directory"

// New returns the files of b as an [IO]. Their locations begin with root and a slash: if root is
// "s3://lake", the key "sales/v1.metadata.json" has the location
// "s3://lake/sales/v1.metadata.json". Escapes in a location are not decoded. A location without a
// scheme is a key. All calls use ctx, because the methods have no context.
func New(ctx context.Context, b storage.Bucket, root string) *IO {
	return &IO{ctx: ctx, bucket: b, root: strings.TrimRight(root, "/")}
}

// An IO implements all interfaces in iceberg-go's package io, so that every catalog can use it. Its
// methods may be called concurrently.
type IO struct {
	ctx    context.Context
	bucket storage.Bucket
	root   string
}

// key returns the key of a location below the root, or "" for the root. A location without a scheme is
// a key already.
func (o *IO) key(location string) (string, error) {
	if location == o.root {
		return "", nil
	}
	if key, ok := strings.CutPrefix(location, o.root+"/"); ok {
		return key, nil
	}
	if strings.Contains(location, "://") {
		return "", &storage.Error{
			Code: storage.InvalidArgument,
			Err:  fmt.Errorf("location must begin with %q", o.root+"/"),
		}
	}
	return location, nil
}

// pathError wraps err in a *fs.PathError, and returns nil if err is nil.
func pathError(op, location string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: location, Err: err}
}

// ReadFile reads a file with one request.
func (o *IO) ReadFile(location string) ([]byte, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, pathError("read", location, err)
	}
	content, _, err := storage.ReadAll(o.ctx, o.bucket, key)
	return content, pathError("read", location, err)
}

// Create returns a writer for a new file, which may replace an existing one. The caller must call Close
// of the writer, which stores the file. The memory of the writer is limited, even for a large file.
func (o *IO) Create(location string) (iceio.FileWriter, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, pathError("create", location, err)
	}
	return &writer{dst: storage.NewWriter(o.ctx, o.bucket, key), location: location}, nil
}

// A writer stores its file in Close. iceberg-go has no method that discards a writer.
type writer struct {
	dst      *storage.Writer
	location string
}

func (w *writer) Write(p []byte) (int, error) { return w.dst.Write(p) }

func (w *writer) ReadFrom(r io.Reader) (int64, error) { return w.dst.ReadFrom(r) }

func (w *writer) Close() error {
	_, err := w.dst.Commit()
	return pathError("close", w.location, err)
}

// WriteFile stores a file, and replaces an existing one.
func (o *IO) WriteFile(location string, content []byte) error {
	key, err := o.key(location)
	if err != nil {
		return pathError("write", location, err)
	}
	_, err = o.bucket.Upload(o.ctx, key, bytes.NewReader(content))
	return pathError("write", location, err)
}

// Rename moves a file with [storage.Move]. If the new location has a file, Rename replaces that
// file. If Rename fails, both files may exist. If the file at the old location was replaced
// meanwhile, Rename fails with Changed.
func (o *IO) Rename(src, dst string) error { return o.move(src, dst) }

// RenameNoReplace moves a file to a location that must not exist. It fails with fs.ErrExist if the new
// location exists, and with Unsupported if the store has no conditional writes.
//
// The file appears at the new location atomically, and is then removed from the old one. If that
// removal fails, the old file stays, and RenameNoReplace still returns nil, because the commit of the
// catalog has succeeded.
func (o *IO) RenameNoReplace(src, dst string) error {
	err := o.move(src, dst, storage.IfAbsent())
	if err == nil || o.isErrorOfRemoval(err, src) {
		return nil
	}
	return err
}

// isErrorOfRemoval reports whether an error of move means that the file is at the new location, and could
// only not be removed from the old one. Such an error has the old key.
func (o *IO) isErrorOfRemoval(moveErr error, src string) bool {
	storageErr, ok := errors.AsType[*storage.Error](moveErr)
	if !ok {
		return false
	}
	// The old file does not exist.
	if storageErr.Code == storage.ObjectNotFound {
		return false
	}
	srcKey, err := o.key(src)
	return err == nil && srcKey != "" && storageErr.Key == srcKey
}

// move moves a file. If both locations are the same, it does nothing.
func (o *IO) move(src, dst string, opts ...storage.CopyOption) error {
	srcKey, err := o.key(src)
	if err != nil {
		return pathError("rename", src, err)
	}
	dstKey, err := o.key(dst)
	if err != nil {
		return pathError("rename", dst, err)
	}

	if dstKey == srcKey {
		return nil
	}
	_, err = storage.Move(o.ctx, o.bucket, srcKey, dstKey, opts...)
	return pathError("rename", dst, err)
}

// Remove removes a file or an empty directory. If neither exists, it fails with fs.ErrNotExist.
func (o *IO) Remove(location string) error {
	key, err := o.key(location)
	if err != nil {
		return pathError("remove", location, err)
	}
	info, err := o.stat(key)
	if err != nil {
		return pathError("remove", location, err)
	}

	if info.IsDir() {
		return pathError("remove", location, o.removeDirectory(pathOf(key)))
	}
	return pathError("remove", location, o.bucket.Remove(o.ctx, key))
}

// removeDirectory removes the markers in an empty directory: the [Marker] of this package, and the
// object "directory/" of other tools.
func (o *IO) removeDirectory(dir string) error {
	// The two markers, and one more key if the directory is not empty.
	const limit = 3
	var markers []string
	for entry, err := range o.bucket.List(o.ctx, storage.WithPrefix(dir+"/"), storage.WithLimit(limit)) {
		if err != nil {
			return err
		}
		isMarker := entry.Key == dir+"/" || entry.Key == dir+"/"+Marker
		if !isMarker {
			return syscall.ENOTEMPTY
		}
		markers = append(markers, entry.Key)
	}

	for _, key := range markers {
		if err := o.bucket.Remove(o.ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// RemoveAll removes a file and everything below it, and returns nil if there is nothing. It refuses the
// root with fs.ErrInvalid.
func (o *IO) RemoveAll(location string) error {
	key, err := o.key(location)
	if err != nil {
		return pathError("remove", location, err)
	}
	name := pathOf(key)
	if name == "." {
		return pathError("remove", location, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "RemoveAll",
			Err:  errors.New("location must be below the root"),
		})
	}
	if err := o.bucket.Remove(o.ctx, name); err != nil {
		return pathError("remove", location, err)
	}
	if _, err := storage.RemoveMatching(o.ctx, o.bucket, nil, storage.WithPrefix(name+"/")); err != nil {
		return pathError("remove", location, err)
	}
	return nil
}

// files returns the bucket as a file system, for the methods that work on directories.
func (o *IO) files() fs.FS { return storage.FS(o.ctx, o.bucket) }

// pathOf converts a key to a path in the bucket's file system.
func pathOf(key string) string { return path.Clean(key) }

// Stat describes a file or, if there is none, a directory. If neither exists, it fails with
// fs.ErrNotExist.
func (o *IO) Stat(location string) (fs.FileInfo, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, pathError("stat", location, err)
	}
	info, err := o.stat(key)
	if err != nil {
		return nil, pathError("stat", location, err)
	}
	return info, nil
}

// stat describes a file or, if there is none, a directory. For a file, it makes one request.
func (o *IO) stat(key string) (fs.FileInfo, error) {
	if fs.ValidPath(key) && key != "." {
		attrs, err := o.bucket.Attrs(o.ctx, key)
		if err == nil {
			return attrs.FileInfo(), nil
		}
		if storage.CodeOf(err) != storage.ObjectNotFound {
			return nil, err
		}
	}
	return fs.Stat(o.files(), pathOf(key))
}

// MkdirAll creates a directory by storing a [Marker] in it, unless the directory exists.
func (o *IO) MkdirAll(location string) error {
	key, err := o.key(location)
	if err != nil {
		return pathError("mkdir", location, err)
	}

	info, err := fs.Stat(o.files(), pathOf(key))
	if err == nil && !info.IsDir() {
		return pathError("mkdir", location, syscall.ENOTDIR)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return pathError("mkdir", location, err)
	}

	_, err = o.bucket.Upload(o.ctx, pathOf(key)+"/"+Marker, strings.NewReader(""))
	return pathError("mkdir", location, err)
}

// WalkDir calls fn with the locations of a file or directory and everything below it, such as "s3://lake/db/a", in the
// order of fs.WalkDir. It makes one listing for each directory.
func (o *IO) WalkDir(location string, fn fs.WalkDirFunc) error {
	key, err := o.key(location)
	if err != nil {
		return pathError("walk", location, err)
	}

	// root is the part of the location before the key, or "" if the location is a key.
	root := strings.TrimSuffix(location, key)
	if root != "" && !strings.HasSuffix(root, "/") {
		root += "/"
	}

	return fs.WalkDir(o.files(), pathOf(key), func(name string, entry fs.DirEntry, err error) error {
		isMarker := err == nil && !entry.IsDir() && entry.Name() == Marker
		if isMarker {
			return nil
		}
		isBucket := name == "."
		if isBucket {
			return fn(location, entry, err)
		}
		return fn(root+name, entry, err)
	})
}

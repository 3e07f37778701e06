// Package iceberg keeps tables of Apache Iceberg (github.com/apache/iceberg-go) in any
// [storage.Bucket].
//
//	err := iceberg.Register("s3://lake", bucket) // in place of importing iceberg-go/io/gocloud/s3
//
// From then on, iceberg-go reads and writes the files below s3://lake/ in the bucket, whatever the
// catalog. Locations in metadata stay as they are, so that other engines read the same tables.
// [New] makes the IO interface of iceberg-go for one bucket without registering it.
//
// # What changes in meaning
//
//   - A file is an object. It appears at Close of its writer, whole or not at all, and a second
//     Close returns the same. If a Write failed, Close stores nothing and fails.
//   - An open file is one revision throughout: if the object is replaced or removed, reading it
//     fails with Changed. ReadAt keeps blocks and reads ahead ([storage.NewReaderAt]).
//   - Open makes one request: for the attributes of a file, or for the content of one that ends in
//     ".avro", because manifests are read from start to end.
//   - RenameNoReplace is atomic if the store has conditional writes, and otherwise Unsupported:
//     of several writers one wins. The Hadoop catalog commits by it. Rename and RenameNoReplace
//     make one request if the store can move; otherwise they copy inside the store, then remove what
//     was copied. A file that another writer has replaced meanwhile stays.
//   - There are no directories: one exists while an object is below it, or while the empty object
//     that MkdirAll leaves in it is there ([Marker], which WalkDir does not show).
//   - DeleteFiles removes in the provider's batches.
//   - An error is a *fs.PathError around a *[storage.Error]. errors.Is works for the errors of
//     io/fs and for the Codes.
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

// New returns the files of b, whose locations begin with root and a slash, as in
// "s3://lake/sales/metadata/v1.metadata.json" below "s3://lake". A location is not unescaped. One
// that has no scheme is a key. ctx governs all calls, which have none of their own.
func New(ctx context.Context, b storage.Bucket, root string) *IO {
	return &IO{ctx: ctx, bucket: b, root: strings.TrimRight(root, "/")}
}

// An IO has all interfaces of iceberg-go's package io, so that every catalog can use it. Its
// methods may be called concurrently.
type IO struct {
	ctx    context.Context
	bucket storage.Bucket
	root   string
}

// key returns the key of a location. It is "" for the root.
func (o *IO) key(location string) (string, error) {
	rest, below := strings.CutPrefix(location, o.root)
	switch {
	case below && rest == "":
		return "", nil
	case below && rest[0] == '/':
		return rest[1:], nil
	case strings.Contains(location, "://"):
		return "", &storage.Error{
			Code: storage.InvalidArgument, Err: fmt.Errorf("location must begin with %q", o.root+"/"),
		}
	}
	return location, nil
}

// failed makes the error of a call on a file.
func failed(op, location string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: location, Err: err}
}

// ReadFile reads a file by one request.
func (o *IO) ReadFile(location string) ([]byte, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, failed("read", location, err)
	}
	content, _, err := storage.ReadAll(o.ctx, o.bucket, key)
	return content, failed("read", location, err)
}

// Create returns a writer whose Close stores the file, in place of one that is there. Close must be
// called. Memory is bounded, however large the file is.
func (o *IO) Create(location string) (iceio.FileWriter, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, failed("create", location, err)
	}
	return &writer{storage.NewWriter(o.ctx, o.bucket, key), location}, nil
}

// A writer commits by Close, the only end that iceberg-go knows.
type writer struct {
	to       *storage.Writer
	location string
}

func (w *writer) Write(p []byte) (int, error) { return w.to.Write(p) }

func (w *writer) ReadFrom(r io.Reader) (int64, error) { return w.to.ReadFrom(r) }

func (w *writer) Close() error {
	_, err := w.to.Commit()
	return failed("close", w.location, err)
}

// WriteFile stores a file, in place of one that is there.
func (o *IO) WriteFile(location string, content []byte) error {
	key, err := o.key(location)
	if err == nil {
		_, err = o.bucket.Upload(o.ctx, key, bytes.NewReader(content))
	}
	return failed("write", location, err)
}

// Rename moves a file, in place of one that is there, by [storage.Move]. If it fails, both may be
// there: with Changed, the old one was replaced meanwhile.
func (o *IO) Rename(from, to string) error { return o.move(from, to) }

// RenameNoReplace moves a file if there is none at its new location. If there is one, it fails
// with fs.ErrExist. The file appears at its new location atomically, and then disappears from the
// old one. If it cannot be removed there, it stays, and RenameNoReplace succeeds: a catalog has
// committed by then, and must not take it for a failure. RenameNoReplace fails with Unsupported if
// the store has no conditional writes.
func (o *IO) RenameNoReplace(from, to string) error {
	err := o.move(from, to, storage.IfAbsent())
	var e *storage.Error
	if source, _ := o.key(from); errors.As(err, &e) && e.Key == source && e.Code != storage.ObjectNotFound {
		return nil // Move says so that the object is at both keys
	}
	return err
}

func (o *IO) move(from, to string, opts ...storage.CopyOption) error {
	source, err := o.key(from)
	if err != nil {
		return failed("rename", from, err)
	}
	target, err := o.key(to)
	if err == nil && target != source {
		_, err = storage.Move(o.ctx, o.bucket, source, target, opts...)
	}
	return failed("rename", to, err)
}

// Remove removes a file or an empty directory. It fails with fs.ErrNotExist if there is neither.
func (o *IO) Remove(location string) error {
	key, err := o.key(location)
	if err != nil {
		return failed("remove", location, err)
	}
	info, err := o.stat(key)
	switch {
	case err != nil:
	case info.IsDir():
		err = o.removeDirectory(pathOf(key))
	default:
		err = o.bucket.Remove(o.ctx, key)
	}
	return failed("remove", location, err)
}

// removeDirectory removes what marks an empty directory: our marker, and that of other tools.
func (o *IO) removeDirectory(dir string) error {
	var marks []string
	for entry, err := range o.bucket.List(o.ctx, storage.WithPrefix(dir+"/"), storage.WithLimit(3)) {
		switch {
		case err != nil:
			return err
		case entry.Key != dir+"/" && entry.Key != dir+"/"+Marker:
			return syscall.ENOTEMPTY
		}
		marks = append(marks, entry.Key)
	}
	for _, key := range marks {
		if err := o.bucket.Remove(o.ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// RemoveAll removes a file and everything below it. It succeeds if there is none. The root is
// refused with fs.ErrInvalid.
func (o *IO) RemoveAll(location string) error {
	key, err := o.key(location)
	if err == nil && pathOf(key) == "." {
		err = &storage.Error{
			Code: storage.InvalidArgument, Op: "RemoveAll", Err: errors.New("location must be below the root"),
		}
	}
	if err == nil {
		err = o.bucket.Remove(o.ctx, pathOf(key))
	}
	if err == nil {
		_, err = storage.RemoveMatching(o.ctx, o.bucket, nil, storage.WithPrefix(pathOf(key)+"/"))
	}
	return failed("remove", location, err)
}

// files is the bucket as a file system, for what has to do with directories.
func (o *IO) files() fs.FS { return storage.FS(o.ctx, o.bucket) }

// pathOf returns the path of a key in files.
func pathOf(key string) string { return path.Clean(key) }

// Stat describes a file or a directory; the file if there are both. It fails with fs.ErrNotExist if
// there is neither.
func (o *IO) Stat(location string) (fs.FileInfo, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, failed("stat", location, err)
	}
	info, err := o.stat(key)
	if err != nil {
		return nil, failed("stat", location, err)
	}
	return info, nil
}

// stat looks for a file first, because most are: that is one request.
func (o *IO) stat(key string) (fs.FileInfo, error) {
	if fs.ValidPath(key) && key != "." {
		attrs, err := o.bucket.Attrs(o.ctx, key)
		switch {
		case err == nil:
			return attrs.FileInfo(), nil
		case storage.CodeOf(err) != storage.ObjectNotFound:
			return nil, err
		}
	}
	return fs.Stat(o.files(), pathOf(key))
}

// MkdirAll leaves a [Marker] in a directory that does not exist.
func (o *IO) MkdirAll(location string) error {
	key, err := o.key(location)
	if err != nil {
		return failed("mkdir", location, err)
	}
	switch info, err := fs.Stat(o.files(), pathOf(key)); {
	case err == nil && !info.IsDir():
		return failed("mkdir", location, syscall.ENOTDIR)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return failed("mkdir", location, err)
	}
	_, err = o.bucket.Upload(o.ctx, pathOf(key)+"/"+Marker, strings.NewReader(""))
	return failed("mkdir", location, err)
}

// WalkDir calls fn for a file or directory and everything below it, as fs.WalkDir does. The
// paths that fn gets are locations. It lists each directory once.
func (o *IO) WalkDir(location string, fn fs.WalkDirFunc) error {
	key, err := o.key(location)
	if err != nil {
		return failed("walk", location, err)
	}
	before := strings.TrimSuffix(location, key)
	if before != "" && !strings.HasSuffix(before, "/") {
		before += "/"
	}
	return fs.WalkDir(o.files(), pathOf(key), func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err == nil && !entry.IsDir() && entry.Name() == Marker:
			return nil
		case at == ".":
			return fn(location, entry, err)
		}
		return fn(before+at, entry, err)
	})
}

package inquiry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
)

// A bucket implements [evidence.End]. write is nil if the job cannot write to the bucket.
type bucket struct {
	read    storage.AttrsReader
	write   storage.ReadWriter
	version string // version that Put stored, if the bucket keeps versions
}

// OfBucket returns an [evidence.End] that stores its object in a bucket. Both parameters must give
// access to the same bucket. If the second parameter is nil, Put fails with Unsupported.
func OfBucket(reader storage.AttrsReader, writer storage.ReadWriter) evidence.End {
	return &bucket{read: reader, write: writer}
}

// Put stores the object, and removes it if it is unknown whether it was stored.
func (b *bucket) Put(ctx context.Context, key string) error {
	if b.write == nil {
		return storage.Unsupported
	}
	attrs, err := b.write.Upload(ctx, key, strings.NewReader(evidence.Text))
	if err == nil {
		b.version = attrs.Version
		return nil
	}
	if errors.Is(err, storage.OutcomeUnknown) {
		// The object may have been stored in spite of the error. If it cannot be removed, it stays.
		_ = b.write.Remove(context.WithoutCancel(ctx), key)
	}
	return err
}

// Has reports whether the bucket has the object.
func (b *bucket) Has(ctx context.Context, key string) (bool, error) {
	_, err := b.read.Attrs(ctx, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil
	}
	return err == nil, err
}

// Discard removes the version that Put has stored, or the object if removing a version is not
// permitted. If nothing may be removed, as in an archive, the object stays, and Discard returns
// nil.
func (b *bucket) Discard(ctx context.Context, key string) error {
	if b.version != "" && b.write.Remove(ctx, key, storage.WithVersion(b.version)) == nil {
		return nil
	}
	err := b.write.Remove(ctx, key)
	switch storage.CodeOf(err) {
	case storage.PermissionDenied, storage.Locked:
		return nil
	}
	return err
}

// A fileSystem has the methods with which a directory implements [evidence.End]. Names are paths
// below the directory. An *os.Root implements fileSystem.
type fileSystem interface {
	OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error)
	Lstat(name string) (fs.FileInfo, error)
	Remove(name string) error
}

type directory struct{ files fileSystem }

// OfDirectory returns an end whose files are in the directory root. Its errors are those of the
// operating system.
func OfDirectory(root *os.Root) evidence.End { return directory{root} }

// OfPath returns an end whose files are in the directory dir. It resolves the path again for each
// call.
func OfPath(dir string) evidence.End { return directory{below(dir)} }

// Put stores the file, whole or not at all.
func (d directory) Put(_ context.Context, key string) error {
	f, err := d.files.OpenFile(key, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(evidence.Text)
	if err = errors.Join(err, f.Close()); err != nil {
		// The file may be incomplete, for example because the disk is full.
		_ = d.files.Remove(key)
	}
	return err
}

// Has reports whether the directory has the file.
func (d directory) Has(_ context.Context, key string) (bool, error) {
	_, err := d.files.Lstat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Discard removes the file, and succeeds if it is missing.
func (d directory) Discard(_ context.Context, key string) error {
	if err := d.files.Remove(key); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

type below string

func (b below) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(filepath.Join(string(b), name), flag, mode)
}

func (b below) Lstat(name string) (fs.FileInfo, error) {
	return os.Lstat(filepath.Join(string(b), name))
}

func (b below) Remove(name string) error { return os.Remove(filepath.Join(string(b), name)) }

package bucketstore

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Head returns the attributes of an object.
func (o *Objects) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	f, attrs, err := o.openForRead(ctx, r)
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	return attrs, nil
}

// Get returns the attributes of an object, and a body with the bytes that r requests.
func (o *Objects) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	f, attrs, err := o.openForRead(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	start, end, err := r.Span(attrs.Size)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return attrs, objectfile.NewBody(f, r.Key, start, end), nil
}

// openForRead opens the object that r requests, and checks the condition of r.
func (o *Objects) openForRead(ctx context.Context, r *driver.GetRequest) (*osdir.File, *storage.Attrs, error) {
	f, stored, err := o.OpenObject(ctx, r.Key, r.Version)
	if err != nil {
		return nil, nil, err
	}
	attrs := o.reader.AttrsOf(r.Key, f.Meta, stored)
	if r.Version != "" {
		attrs.Version = r.Version
	}
	if err := objectfile.CheckRead(attrs.Revision, r.Condition); err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, attrs, nil
}

const currentVersion = "" // makes OpenObject open the current object

// OpenObject opens the file of the current object or, if version is not "", of that version, and reads
// its attributes, which are nil if another program has created the file.
func (o *Objects) OpenObject(ctx context.Context, key, version string) (*osdir.File, *objectfile.Attrs, error) {
	if err := objectfile.CheckVersion(version); err != nil {
		return nil, nil, err
	}
	loc, ok := o.tree.Names().Locate(key)
	if !ok {
		return nil, nil, o.tree.NotFoundError()
	}

	var f *osdir.File
	var attrs *objectfile.Attrs
	open := func() error {
		var err error
		if version == "" {
			f, attrs, err = o.openCurrent(loc)
		} else {
			f, attrs, err = o.openVersion(loc, key, version)
		}
		return err
	}
	err := bucketdir.Retry(ctx, open)
	return f, attrs, err
}

// openCurrent opens the current object and reads its attributes. It may fail with ErrRetry if the
// object is replaced or removed meanwhile.
func (o *Objects) openCurrent(loc bucketdir.Location) (*osdir.File, *objectfile.Attrs, error) {
	f, err := o.reader.OpenCurrent(loc)
	if err != nil {
		return nil, nil, err
	}
	if f == nil {
		return nil, nil, o.tree.NotFoundError()
	}
	attrs, err := o.currentAttrs(loc, f)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, attrs, nil
}

// currentAttrs reads the attributes of f, which was the current object at loc when it was opened. They
// are nil if f has none. It may fail with ErrRetry if f is no longer the current object.
func (o *Objects) currentAttrs(loc bucketdir.Location, f *osdir.File) (*objectfile.Attrs, error) {
	stored, err := o.reader.AttrsOfFile(f)
	if err != nil {
		return nil, err
	}
	if stored != nil && !o.reader.ForgetsInodes() {
		return stored, nil
	}

	// FAT, for example, forgets inodes when it is unmounted. The attributes that are stored by inode may
	// then be those of another file. So prefer the visible sidecar, a file with attributes beside the object.
	// If there is none, PreferVisible returns stored.
	attrs, err := o.reader.PreferVisible(stored, loc, f.Meta)
	if err != nil {
		return nil, err
	}
	if stored != nil && attrs == stored {
		// There is no visible sidecar.
		return stored, nil
	}

	// If another process has replaced f since it was opened, the visible sidecar may be that of the new
	// object. If there are no attributes, those of f may be lost.
	if !o.reader.IsStillCurrent(loc, f) {
		return nil, bucketdir.ErrRetry
	}
	return attrs, nil
}

// openVersion opens a version of an object, which may be the current one, and reads its attributes.
func (o *Objects) openVersion(loc bucketdir.Location, key, version string) (*osdir.File, *objectfile.Attrs, error) {
	f, err := o.openVersionFile(loc, key, version)
	if err != nil {
		return nil, nil, err
	}
	if f == nil {
		return nil, nil, o.tree.NotFoundError()
	}

	attrs, err := o.reader.AttrsOfFile(f)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, attrs, nil
}

// openVersionFile opens the file of a version, which may be the current object. It returns nil if there
// is no such version.
func (o *Objects) openVersionFile(loc bucketdir.Location, key, version string) (*osdir.File, error) {
	current, err := o.reader.OpenCurrent(loc)
	if err != nil {
		return nil, err
	}
	if current != nil {
		if objectfile.VersionOf(current.Meta) == version {
			return current, nil
		}
		_ = current.Close()
	}
	return o.noncurrent.openVersion(key, version)
}

// PublicRevision returns the revision of a public object, or "" if the object does not exist or is
// not public.
func (o *Objects) PublicRevision(ctx context.Context, key string) (string, error) {
	f, attrs, err := o.OpenObject(ctx, key, currentVersion)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if attrs == nil || !attrs.PublicRead {
		return "", nil
	}
	return o.reader.TagOf(f.Meta, attrs).Revision(), nil
}

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

// Get opens an object, and returns the bytes that r requests.
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

// openForRead opens the object that r requests, and checks the condition. The caller must close the
// file.
func (o *Objects) openForRead(ctx context.Context, r *driver.GetRequest) (*osdir.File, *storage.Attrs, error) {
	f, a, err := o.OpenObject(ctx, r.Key, r.Version)
	if err != nil {
		return nil, nil, err
	}
	attrs := o.reader.AttrsOf(r.Key, f.Meta, a)
	if r.Version != "" {
		attrs.Version = r.Version
	}
	if err := objectfile.CheckRead(attrs.Revision, r.Condition); err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, attrs, nil
}

// OpenObject opens the current object or, if version is not "", that version. It also reads the
// attributes.
func (o *Objects) OpenObject(ctx context.Context, key, version string) (*osdir.File, *objectfile.Attrs, error) {
	if err := objectfile.CheckVersion(version); err != nil {
		return nil, nil, err
	}
	l, ok := o.tree.Names().Locate(key)
	if !ok {
		return nil, nil, o.tree.NotFoundError()
	}

	var file *osdir.File
	var attributes *objectfile.Attrs
	err := bucketdir.Retry(ctx, func() error {
		f, err := o.reader.OpenCurrent(l)
		if version != "" && (f == nil || objectfile.VersionOf(f.Meta) != version) && err == nil {
			if f != nil {
				_ = f.Close()
			}
			f, err = o.noncurrent.openVersion(key, version)
		}
		if err != nil {
			return err
		}
		if f == nil {
			return o.tree.NotFoundError()
		}

		a, err := o.reader.AttrsOfFile(f)
		attrs := a
		if err == nil && version == "" && (a == nil || o.reader.Forgets()) {
			a, err = o.reader.VisibleOr(attrs, l, f.Meta)
			if err == nil && a != attrs && !o.reader.IsStillCurrent(l, f) {
				a = nil
			}
		}

		if err == nil && (a != nil || version != "" || o.reader.IsStillCurrent(l, f)) {
			file = f
			attributes = a
			return nil
		}
		_ = f.Close()
		if err != nil {
			return err
		}
		return bucketdir.ErrAgain
	})
	return file, attributes, err
}

// PublicRevision returns the revision of an object. If the object does not exist or is not public,
// it returns "".
func (o *Objects) PublicRevision(ctx context.Context, key string) (string, error) {
	f, a, err := o.OpenObject(ctx, key, "")
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if a == nil || !a.PublicRead {
		return "", nil
	}
	return o.reader.TagOf(f.Meta, a).Revision(), nil
}

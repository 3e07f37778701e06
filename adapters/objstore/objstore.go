// Package objstore turns any [storage.Bucket] into a bucket of Thanos' package objstore. Thanos,
// Mimir, Loki, Cortex and other programs use that interface.
//
//	b := objstore.New(bucket, objstore.Config{Name: "blocks"})
//	instrumented := thanos.WrapWithMetrics(b, registry, "blocks")
//
// # What changes in meaning
//
//   - Errors wrap a *[storage.Error].
//   - Get and GetRange continue after a lost connection. If the object was replaced meanwhile, they
//     fail, so that two revisions are never mixed.
//   - Upload stores an object either completely or not at all, on every store. It retries after a
//     temporary failure.
//   - If the object does not exist, Delete returns nil.
//   - Iter and IterWithAttributes list in byte order on every store. They leave out folder markers,
//     which are objects whose names end in a slash.
//
// # Conditional uploads
//
// Versions of objstore after August 2025 have conditional uploads and a wider interface. Build with
// the tag objstore_conditions if your program requires such a version:
//
//	go build -tags objstore_conditions ./...
//
// Then SupportedObjectUploadOptions returns WithIfNotExists and WithIfMatch, if the bucket has
// these conditions. WithIfNotMatch is not supported. The version of an object is its
// [storage.Attrs].Revision, with the type ETag on every store.
package objstore

import (
	"context"
	"errors"
	"io"
	"strings"

	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage"
)

// A Config has the names of the bucket and of its provider, for metrics and logs.
type Config struct {
	Name     string             // the bucket's name
	Provider thanos.ObjProvider // "" means OMNIBUCKET
}

// New returns b as a bucket of objstore. Closing the result closes b.
func New(b storage.Bucket, c Config) thanos.Bucket {
	if c.Provider == "" {
		c.Provider = "OMNIBUCKET"
	}
	return &bucket{bucket: b, config: c}
}

type bucket struct {
	bucket storage.Bucket
	config Config
}

func (b *bucket) Name() string                 { return b.config.Name }
func (b *bucket) Provider() thanos.ObjProvider { return b.config.Provider }
func (b *bucket) Close() error                 { return storage.Close(b.bucket) }

func (b *bucket) IsObjNotFoundErr(err error) bool {
	return storage.CodeOf(err) == storage.ObjectNotFound
}

func (b *bucket) IsAccessDeniedErr(err error) bool {
	code := storage.CodeOf(err)
	return code == storage.PermissionDenied || code == storage.Unauthenticated
}

// IsConditionNotMetErr reports whether err is a failed condition. objstore's interface requires it
// in versions with conditional uploads.
func (b *bucket) IsConditionNotMetErr(err error) bool {
	return storage.CodeOf(err) == storage.PreconditionFailed
}

// contentType returns the option for the content type of an upload, or none.
func contentType(params thanos.UploadObjectParams) []storage.UploadOption {
	if params.ContentType == "" {
		return nil
	}
	return []storage.UploadOption{storage.WithContentType(params.ContentType)}
}

func (b *bucket) Delete(ctx context.Context, name string) error { return b.bucket.Remove(ctx, name) }

func (b *bucket) Exists(ctx context.Context, name string) (bool, error) {
	return b.bucket.Exists(ctx, name)
}

// Attributes returns the size, the time and the version of an object.
func (b *bucket) Attributes(ctx context.Context, name string) (thanos.ObjectAttributes, error) {
	attrs, err := b.bucket.Attrs(ctx, name)
	if err != nil {
		return thanos.ObjectAttributes{}, err
	}
	return b.convertAttributes(attrs), nil
}

// Get reads an object.
func (b *bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.bucket.Download(ctx, name)
	if err != nil {
		return nil, err
	}
	return reader{r}, nil
}

// GetRange reads length bytes from off, or the rest if length is -1. It refuses other negative numbers
// with InvalidArgument, because the library would give some of them another meaning.
func (b *bucket) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if off < 0 || length < -1 {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "GetRange",
			Key:  name,
			Err:  errors.New("off must be at least 0, and length at least -1"),
		}
	}

	r, err := b.bucket.Download(ctx, name, storage.WithRange(off, length))
	if err != nil {
		return nil, err
	}
	return reader{r}, nil
}

// A reader is an open object. It also implements ObjectSize, which users of objstore call.
type reader struct{ src *storage.Reader }

func (r reader) Read(p []byte) (int, error) { return r.src.Read(p) }

// WriteTo writes the rest of the object to w.
func (r reader) WriteTo(w io.Writer) (int64, error) { return r.src.WriteTo(w) }

func (r reader) Close() error { return r.src.Close() }

// ObjectSize returns how many bytes the whole reader has, including those that were read already.
func (r reader) ObjectSize() (int64, error) {
	_, length := r.src.Range()
	return length, nil
}

func (b *bucket) SupportedIterOptions() []thanos.IterOptionType {
	return []thanos.IterOptionType{thanos.Recursive, thanos.UpdatedAt}
}

func (b *bucket) Iter(ctx context.Context, dir string, f func(string) error, options ...thanos.IterOption) error {
	return b.IterWithAttributes(ctx, dir, func(a thanos.IterObjectAttributes) error { return f(a.Name) }, options...)
}

// IterWithAttributes calls f for each object and folder in the folder dir. With
// thanos.WithRecursiveIter, it calls f for everything below dir.
func (b *bucket) IterWithAttributes(
	ctx context.Context, dir string, f func(thanos.IterObjectAttributes) error, options ...thanos.IterOption,
) error {
	if err := thanos.ValidateIterOptions(b.SupportedIterOptions(), options...); err != nil {
		return err
	}

	params := thanos.ApplyIterOptions(options...)
	if dir != "" {
		dir = strings.TrimSuffix(dir, thanos.DirDelim) + thanos.DirDelim
	}

	opts := []storage.ListOption{storage.WithPrefix(dir)}
	if !params.Recursive {
		opts = append(opts, storage.WithDelimiter(thanos.DirDelim))
	}

	for entry, err := range b.bucket.List(ctx, opts...) {
		if err != nil {
			return err
		}
		// The caller would take markers of consoles and rclone for folders.
		isMarker := !entry.IsPrefix && strings.HasSuffix(entry.Key, thanos.DirDelim)
		if isMarker {
			continue
		}

		attributes := thanos.IterObjectAttributes{Name: entry.Key}
		if params.LastModified {
			attributes.SetLastModified(entry.Modified)
		}
		if err := f(attributes); err != nil {
			return err
		}
	}
	return nil
}

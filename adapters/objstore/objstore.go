// Package objstore makes a bucket of Thanos' objstore of any [storage.Bucket], for Thanos, Mimir,
// Loki, Cortex and programs that use that interface.
//
//	b := objstore.New(bucket, objstore.Config{Name: "blocks"})
//	instrumented := thanos.WrapWithMetrics(b, registry, "blocks")
//
// # What changes in meaning
//
//   - Errors wrap a *[storage.Error].
//   - Get and GetRange continue after a lost connection, and fail rather than join two
//     revisions of an object.
//   - Upload stores an object whole or not at all, on every store, and retries.
//   - Delete succeeds if there is no object.
//   - Iter and IterWithAttributes are in byte order on every store. They leave out folder markers, which are objects
//     whose names end in a slash.
//
// # Conditional uploads
//
// Versions of objstore after August 2025 have conditional uploads and a wider interface. Build with
// the tag objstore_conditions if your program requires such a version:
//
//	go build -tags objstore_conditions ./...
//
// WithIfNotExists and WithIfMatch are then what the bucket can do, as SupportedObjectUploadOptions
// tells; WithIfNotMatch is not supported. The version of an object is its [storage.Attrs].Revision,
// of type ETag on every store.
package objstore

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage"
)

// A Config describes the bucket to metrics and logs.
type Config struct {
	Name     string             // the bucket's name
	Provider thanos.ObjProvider // "": OMNIBUCKET
}

// New returns b as a bucket of objstore. Its Close closes b.
func New(b storage.Bucket, c Config) thanos.Bucket {
	if c.Provider == "" {
		c.Provider = "OMNIBUCKET"
	}
	return &bucket{own: b, config: c}
}

type bucket struct {
	own    storage.Bucket
	config Config
}

func (b *bucket) Name() string                 { return b.config.Name }
func (b *bucket) Provider() thanos.ObjProvider { return b.config.Provider }
func (b *bucket) Close() error                 { return storage.Close(b.own) }

func (b *bucket) IsObjNotFoundErr(err error) bool {
	return storage.CodeOf(err) == storage.ObjectNotFound
}

func (b *bucket) IsAccessDeniedErr(err error) bool {
	return slices.Contains([]storage.Code{storage.PermissionDenied, storage.Unauthenticated}, storage.CodeOf(err))
}

// IsConditionNotMetErr is part of the interface in versions with conditional uploads.
func (b *bucket) IsConditionNotMetErr(err error) bool {
	return storage.CodeOf(err) == storage.PreconditionFailed
}

func contentType(params thanos.UploadObjectParams) []storage.UploadOption {
	if params.ContentType == "" {
		return nil
	}
	return []storage.UploadOption{storage.WithContentType(params.ContentType)}
}

func (b *bucket) Delete(ctx context.Context, name string) error { return b.own.Remove(ctx, name) }

func (b *bucket) Exists(ctx context.Context, name string) (bool, error) {
	return b.own.Exists(ctx, name)
}

func (b *bucket) Attributes(ctx context.Context, name string) (thanos.ObjectAttributes, error) {
	a, err := b.own.Attrs(ctx, name)
	if err != nil {
		return thanos.ObjectAttributes{}, err
	}
	return b.attributes(a), nil
}

func (b *bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return sized(b.own.Download(ctx, name))
}

// GetRange reads length bytes from off; -1 reads to the end. Other negative numbers, which mean more
// to the library, are InvalidArgument.
func (b *bucket) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if off < 0 || length < -1 {
		return nil, &storage.Error{
			Code: storage.InvalidArgument, Op: "GetRange", Key: name,
			Err: errors.New("off must be at least 0, and length at least -1"),
		}
	}
	return sized(b.own.Download(ctx, name, storage.WithRange(off, length)))
}

// A reader tells its size, which objstore's users ask for.
type reader struct{ from *storage.Reader }

func sized(r *storage.Reader, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	return reader{r}, nil
}

func (r reader) Read(p []byte) (int, error) { return r.from.Read(p) }

// WriteTo writes what has not been read.
func (r reader) WriteTo(w io.Writer) (int64, error) { return r.from.WriteTo(w) }

func (r reader) Close() error { return r.from.Close() }

// ObjectSize returns how many bytes the reader delivers in all.
func (r reader) ObjectSize() (int64, error) {
	_, length := r.from.Range()
	return length, nil
}

func (b *bucket) SupportedIterOptions() []thanos.IterOptionType {
	return []thanos.IterOptionType{thanos.Recursive, thanos.UpdatedAt}
}

func (b *bucket) Iter(ctx context.Context, dir string, f func(string) error, options ...thanos.IterOption) error {
	return b.IterWithAttributes(ctx, dir, func(a thanos.IterObjectAttributes) error { return f(a.Name) }, options...)
}

// IterWithAttributes calls f for each object and folder of the folder dir, and for everything below
// it with thanos.WithRecursiveIter.
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
	for entry, err := range b.own.List(ctx, opts...) {
		if err != nil {
			return err
		}
		if !entry.IsPrefix && strings.HasSuffix(entry.Key, thanos.DirDelim) {
			continue // the marker of a folder, which consoles and rclone leave: the caller would take it for a folder
		}
		a := thanos.IterObjectAttributes{Name: entry.Key}
		if params.LastModified {
			a.SetLastModified(entry.Modified)
		}
		if err := f(a); err != nil {
			return err
		}
	}
	return nil
}

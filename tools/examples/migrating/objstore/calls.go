// Package objstore contains the calls that docs/migrating/objstore.md shows, so that the compiler
// checks them.
package objstore

import (
	"context"
	"errors"
	"io"

	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/objstore"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

var _ = []any{adapter, oldCalls, newCalls}

func adapter(bucket storage.Bucket) thanos.Bucket {
	b := objstore.New(bucket, objstore.Config{Name: "blocks"}) // an objstore.Bucket of Thanos
	return b
}

// oldCalls has the calls of the old library. It never runs: the compiler checks that they are valid.
func oldCalls(ctx context.Context, b thanos.Bucket) {
	// The compiler needs only the types of these values.
	var (
		name, dir   string
		off, length int64
		r           io.Reader
		f           func(string) error
		err         error
	)

	b.Upload(ctx, name, r)
	b.Get(ctx, name)
	b.GetRange(ctx, name, off, length)
	b.Attributes(ctx, name)
	b.Exists(ctx, name)
	b.Delete(ctx, name)
	b.Iter(ctx, dir, f)
	b.Iter(ctx, dir, f, thanos.WithRecursiveIter())
	b.IsObjNotFoundErr(err)
	b.IsAccessDeniedErr(err)
	thanos.NewInMemBucket()
	_, _ = thanos.UploadDir, thanos.DownloadDir
}

// newCalls has the calls of this library that replace the old ones. It never runs, either.
func newCalls(ctx context.Context, b storage.Bucket) {
	// The compiler needs only the types of these values.
	var (
		name, dir   string
		off, length int64
		r           io.Reader
		err         error
	)

	b.Upload(ctx, name, r)
	b.Download(ctx, name)
	b.Download(ctx, name, storage.WithRange(off, length))
	b.Attrs(ctx, name)
	b.Exists(ctx, name)
	b.Remove(ctx, name)
	b.List(ctx, storage.WithPrefix(dir+"/"), storage.WithDelimiter("/"))
	b.List(ctx, storage.WithPrefix(dir+"/"))
	_ = errors.Is(err, storage.ObjectNotFound)
	_ = errors.Is(err, storage.PermissionDenied)
	memstore.New()
	_, _ = transfer.Upload, transfer.Download
}

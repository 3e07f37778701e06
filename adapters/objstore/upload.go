//go:build !objstore_conditions

package objstore

import (
	"context"
	"io"

	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage"
)

// Upload stores an object. If r is a file, its parts are read and sent in parallel.
func (b *bucket) Upload(ctx context.Context, name string, r io.Reader, options ...thanos.ObjectUploadOption) error {
	_, err := b.bucket.Upload(ctx, name, r, contentType(thanos.ApplyObjectUploadOptions(options...))...)
	return err
}

func (*bucket) convertAttributes(a *storage.Attrs) thanos.ObjectAttributes {
	return thanos.ObjectAttributes{Size: a.Size, LastModified: a.Modified}
}

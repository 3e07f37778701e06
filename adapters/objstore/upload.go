//go:build !objstore_conditions

package objstore

import (
	"context"
	"io"

	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage"
)

// Upload stores an object. A file is read in place, in parallel.
func (b *bucket) Upload(ctx context.Context, name string, r io.Reader, options ...thanos.ObjectUploadOption) error {
	_, err := b.own.Upload(ctx, name, r, contentType(thanos.ApplyObjectUploadOptions(options...))...)
	return err
}

func (*bucket) attributes(a *storage.Attrs) thanos.ObjectAttributes {
	return thanos.ObjectAttributes{Size: a.Size, LastModified: a.Modified}
}

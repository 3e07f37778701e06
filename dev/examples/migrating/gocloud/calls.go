// Package gocloud has the calls of docs/migrating/gocloud.md, so that they compile.
package gocloud

import (
	"bytes"
	"context"
	"errors"
	"io"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/gocloud"
)

var _ = []any{adapter, theirs, ours}

func adapter(bucket storage.Bucket) {
	b := gocloud.OpenBucket(bucket) // in place of s3blob.OpenBucket, gcsblob.OpenBucket and the like
	b.Close()
}

func theirs(ctx context.Context, b *blob.Bucket, client *s3.Client, key, p, to, from string, token, data []byte, offset, length int64, size int, r io.Reader, opts *blob.WriterOptions, list *blob.ListOptions, err error) {
	b.WriteAll(ctx, key, data, nil)
	b.Upload(ctx, key, r, opts)
	w, _ := b.NewWriter(ctx, key, nil)
	w.Close()
	_ = &blob.WriterOptions{IfNotExist: true}
	b.ReadAll(ctx, key)
	b.NewReader(ctx, key, nil)
	b.NewRangeReader(ctx, key, offset, length, nil)
	b.Attributes(ctx, key)
	b.Exists(ctx, key)
	b.Delete(ctx, key)
	b.Copy(ctx, to, from, nil)
	b.List(&blob.ListOptions{Prefix: p, Delimiter: "/"})
	b.ListPage(ctx, token, size, list)
	b.SignedURL(ctx, key, nil)
	b.SignedURL(ctx, key, &blob.SignedURLOptions{Method: "PUT"})
	blob.PrefixedBucket(b, "a/")
	_ = gcerrors.Code(err) == gcerrors.NotFound
	b.As(&client)
	b.Close()
}

func ours(ctx context.Context, b storage.Bucket, key, p, to, from, token, t string, data []byte, offset, length int64, size int, r io.Reader, err error) {
	b.Upload(ctx, key, bytes.NewReader(data))
	b.Upload(ctx, key, r, storage.WithContentType(t))
	w := storage.NewWriter(ctx, b, key)
	w.Commit()
	_ = storage.IfAbsent()
	storage.ReadAll(ctx, b, key)
	b.Download(ctx, key)
	b.Download(ctx, key, storage.WithRange(offset, length))
	b.Attrs(ctx, key)
	b.Exists(ctx, key)
	b.Remove(ctx, key)
	storage.Copy(ctx, b, to, b, from)
	b.List(ctx, storage.WithPrefix(p), storage.WithDelimiter("/"))
	storage.ListPage(ctx, b, token, storage.WithPageSize(size))
	b.SignedDownloadURL(ctx, key)
	b.SignedUploadURL(ctx, key)
	storage.Prefixed(b, "a/")
	_ = errors.Is(err, storage.ObjectNotFound)
	storage.As[*s3.Client](b)
	storage.Close(b)
}

// Package gocloud contains the calls that docs/migrating/gocloud.md shows, so that the compiler
// checks them.
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

var _ = []any{adapter, oldCalls, writer, reader, list, newCalls, listed, read}

func adapter(bucket storage.Bucket) {
	b := gocloud.OpenBucket(bucket) // in place of s3blob.OpenBucket, gcsblob.OpenBucket and the like
	b.Close()
}

// oldCalls has the calls of the old library. It never runs: the compiler checks that they are valid.
func oldCalls(ctx context.Context, b *blob.Bucket, client *s3.Client) {
	// The compiler needs only the types of these values.
	var (
		key, p, to, from string
		token, data      []byte
		offset, length   int64
		size             int
		r                io.Reader
		w                io.Writer
		opts             *blob.WriterOptions
		list             *blob.ListOptions
		err              error
	)

	b.WriteAll(ctx, key, data, nil)
	b.Upload(ctx, key, r, opts)
	_ = &blob.WriterOptions{BufferSize: size}
	b.Download(ctx, key, w, nil)
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
	_ = gcerrors.Code(err) == gcerrors.FailedPrecondition
	b.As(&client)
	b.Close()
}

func writer(ctx context.Context, b *blob.Bucket, key, t string, m map[string]string) {
	w, _ := b.NewWriter(ctx, key, nil)
	w.Close()
	_ = &blob.WriterOptions{CacheControl: t, Metadata: m}
}

func reader(r *blob.Reader) { _, _ = r.Size(), r.ContentType() }

func list(ctx context.Context, it *blob.ListIterator) error {
	for {
		object, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_ = object.IsDir
	}
}

func listed(ctx context.Context, b storage.Bucket) error {
	for entry, err := range b.List(ctx) {
		if err != nil {
			return err
		}
		_ = entry.IsPrefix
	}
	return nil
}

func read(ctx context.Context, b storage.Bucket, key string, w io.Writer) error {
	r, err := b.Download(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	_, _ = r.Attrs().Size, r.Attrs().ContentType
	_, err = io.Copy(w, r)
	return err
}

// newCalls has the calls of this library that replace the old ones. It never runs, either.
func newCalls(ctx context.Context, b storage.Bucket) {
	// The compiler needs only the types of these values.
	var (
		key, p, to, from, token, t string
		data                       []byte
		offset, length, partSize   int64
		size                       int
		m                          map[string]string
		r                          io.Reader
		err                        error
	)

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
	_ = errors.Is(err, storage.PreconditionFailed)
	_, _ = storage.WithCacheControl(t), storage.WithMetadata(m)
	_ = storage.WithPartSize(partSize)
	storage.As[*s3.Client](b)
	storage.Close(b)
}

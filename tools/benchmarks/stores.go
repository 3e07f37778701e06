package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/thanos-io/objstore"
	"gocloud.dev/blob"

	"github.com/omnibucket/storage"
)

// These are the names of the rows.
const (
	ours         = "omnibucket"
	goCloudMem   = "gocloud memblob"
	goCloudFile  = "gocloud fileblob"
	objstoreMem  = "objstore in-mem"
	objstoreFile = "objstore filesystem"
)

// listed lists the keys that begin with prefix, and returns their number.
func listed(ctx context.Context, s store, prefix string) (n int, _ error) {
	err := s.list(ctx, prefix, func() {
		n++
	})
	return n, err
}

const pageSize = 1000

const contentType = "text/plain; charset=utf-8"

var metadata = map[string]string{"owner": "42", "purpose": "benchmark"}

// A store has the measured operations of one library. Each is implemented as users of that library
// usually write it.
type store interface {
	put(ctx context.Context, key string, data []byte) error
	upload(ctx context.Context, key string, body io.Reader) error
	get(ctx context.Context, key string) (n int, _ error) // reads the whole object into memory
	download(ctx context.Context, key string, dst io.Writer) (n int64, _ error)
	attrs(ctx context.Context, key string) error
	// list lists the keys that begin with prefix, with their sizes. It requests pages of 1,000
	// keys, and calls the given function once per key.
	list(ctx context.Context, prefix string, each func()) error
	close() error
}

// own implements the interface store with a bucket of this library. opts holds the
// options of its uploads.
type own struct {
	bucket storage.Bucket
	opts   []storage.UploadOption
}

func (s own) put(ctx context.Context, key string, data []byte) error {
	return s.upload(ctx, key, bytes.NewReader(data))
}

func (s own) upload(ctx context.Context, key string, body io.Reader) error {
	_, err := s.bucket.Upload(ctx, key, body, s.opts...)
	return err
}

func (s own) download(ctx context.Context, key string, dst io.Writer) (int64, error) {
	r, err := s.bucket.Download(ctx, key)
	return copyAndClose(dst, r, err)
}

func (s own) get(ctx context.Context, key string) (int, error) {
	data, _, err := storage.ReadAll(ctx, s.bucket, key)
	return len(data), err
}

func (s own) attrs(ctx context.Context, key string) error {
	_, err := s.bucket.Attrs(ctx, key)
	return err
}

func (s own) list(ctx context.Context, prefix string, each func()) error {
	for _, err := range s.bucket.List(ctx, storage.WithPrefix(prefix), storage.WithPageSize(pageSize)) {
		if err != nil {
			return err
		}
		each()
	}
	return nil
}

func (s own) close() error { return storage.Close(s.bucket) }

// A goCloud implements store with a bucket of gocloud.dev/blob.
type goCloud struct {
	bucket *blob.Bucket
	opts   *blob.WriterOptions
}

func (s goCloud) put(ctx context.Context, key string, data []byte) error {
	return s.bucket.WriteAll(ctx, key, data, s.opts)
}

func (s goCloud) upload(ctx context.Context, key string, body io.Reader) error {
	opts := s.opts
	if opts == nil {
		opts = &blob.WriterOptions{ContentType: contentType} // required by Upload
	}
	return s.bucket.Upload(ctx, key, body, opts)
}

func (s goCloud) download(ctx context.Context, key string, dst io.Writer) (int64, error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	return copyAndClose(dst, r, err)
}

func (s goCloud) get(ctx context.Context, key string) (int, error) {
	data, err := s.bucket.ReadAll(ctx, key)
	return len(data), err
}

func (s goCloud) attrs(ctx context.Context, key string) error {
	_, err := s.bucket.Attributes(ctx, key)
	return err
}

func (s goCloud) list(ctx context.Context, prefix string, each func()) error {
	opts := &blob.ListOptions{Prefix: prefix}
	for token := blob.FirstPageToken; token != nil; {
		page, next, err := s.bucket.ListPage(ctx, token, pageSize, opts)
		if err != nil {
			return err
		}
		for range page {
			each()
		}
		token = next
	}
	return nil
}

func (s goCloud) close() error { return s.bucket.Close() }

// An objstoreBucket implements store with a bucket of github.com/thanos-io/objstore. Its listings
// have no pages, and its writes set no attributes.
type objstoreBucket struct{ bucket objstore.Bucket }

func (s objstoreBucket) put(ctx context.Context, key string, data []byte) error {
	return s.upload(ctx, key, bytes.NewReader(data))
}

func (s objstoreBucket) upload(ctx context.Context, key string, body io.Reader) error {
	return s.bucket.Upload(ctx, key, body)
}

func (s objstoreBucket) download(ctx context.Context, key string, dst io.Writer) (int64, error) {
	r, err := s.bucket.Get(ctx, key)
	return copyAndClose(dst, r, err)
}

func (s objstoreBucket) get(ctx context.Context, key string) (int, error) {
	r, err := s.bucket.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	data, err := io.ReadAll(r)
	return len(data), errors.Join(err, r.Close())
}

func (s objstoreBucket) attrs(ctx context.Context, key string) error {
	_, err := s.bucket.Attributes(ctx, key)
	return err
}

func (s objstoreBucket) list(ctx context.Context, prefix string, each func()) error {
	return s.bucket.IterWithAttributes(ctx, prefix, func(objstore.IterObjectAttributes) error {
		each()
		return nil
	}, objstore.WithRecursiveIter(), objstore.WithUpdatedAt())
}

func (s objstoreBucket) close() error { return s.bucket.Close() }

// copyAndClose copies the download r to a writer, and closes r. err is the error of opening the
// download. If err is not nil, copyAndClose only returns err.
func copyAndClose(dst io.Writer, r io.ReadCloser, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(dst, r)
	return n, errors.Join(err, r.Close())
}

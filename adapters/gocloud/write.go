package gocloud

import (
	"context"
	"io"
	"mime"
	"strings"

	"gocloud.dev/blob/driver"

	"github.com/omnibucket/storage"
)

// leastPart is the smallest BufferSize, in bytes, that is used as the size of a part. partUnit is
// that of which a part is a multiple: Google takes only multiples of 256 KiB.
const (
	leastPart = 5 << 20
	partUnit  = 1 << 20
)

// NewTypedWriter begins a write. The object is stored by Close. The Go CDK itself checks ContentMD5,
// and cancels ctx before Close if it is another one.
func (b *bucket) NewTypedWriter(
	ctx context.Context, key, contentType string, o *driver.WriterOptions,
) (driver.Writer, error) {
	metadata, err := escapeMetadata(o.Metadata)
	if err != nil {
		return nil, err
	}
	if err := b.checkWriter(o); err != nil {
		return nil, err
	}
	opts := b.uploadOptions(contentType, metadata, o)
	if err := before(o.BeforeWrite, &opts); err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, bucket: b.Bucket, key: escapeKey(key), opts: opts}, nil
}

// checkWriter refuses options that the store does not support.
func (b *bucket) checkWriter(o *driver.WriterOptions) error {
	for _, option := range []struct {
		name  string
		given bool
		needs storage.Features
	}{
		{"IfNotExist", o.IfNotExist, storage.ConditionalCreate},
		{"Metadata", len(o.Metadata) > 0, storage.Metadata},
		{"CacheControl, ContentDisposition, ContentEncoding and ContentLanguage", o.CacheControl+o.ContentDisposition+o.ContentEncoding+o.ContentLanguage != "", storage.ContentProperties},
	} {
		if option.given && !storage.Supports(b.Bucket, option.needs) {
			return errUnsupported("NewWriter", "the store does not support "+option.name)
		}
	}
	return nil
}

// uploadOptions returns the options of an upload.
func (b *bucket) uploadOptions(
	contentType string, metadata map[string]string, o *driver.WriterOptions,
) (opts []storage.UploadOption) {
	if storage.Supports(b.Bucket, storage.ContentProperties) {
		opts = append(opts, storage.WithContentType(mediaType(contentType)))
	}
	if len(metadata) > 0 {
		opts = append(opts, storage.WithMetadata(metadata))
	}
	for _, property := range []struct {
		value string
		with  func(string) storage.WriteOption
	}{
		{o.CacheControl, storage.WithCacheControl}, {o.ContentDisposition, storage.WithContentDisposition},
		{o.ContentEncoding, storage.WithContentEncoding}, {o.ContentLanguage, storage.WithContentLanguage},
	} {
		if property.value != "" {
			opts = append(opts, property.with(property.value))
		}
	}
	if o.IfNotExist {
		opts = append(opts, storage.IfAbsent())
	}
	if o.BufferSize >= leastPart && storage.Supports(b.Bucket, storage.MultipartUploads) {
		opts = append(opts, storage.WithPartSize(int64(o.BufferSize/partUnit*partUnit)))
	}
	if o.MaxConcurrency > 0 {
		opts = append(opts, storage.WithConcurrency(o.MaxConcurrency))
	}
	return opts
}

// mediaType returns a content type that the library takes. The Go CDK also takes none, and words
// without a slash.
func mediaType(contentType string) string {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(kind, "/") {
		return "application/octet-stream"
	}
	return contentType
}

// A writer is a write in progress.
type writer struct {
	ctx      context.Context
	bucket   storage.Bucket
	key      string
	opts     []storage.UploadOption
	writer   *storage.Writer
	uploaded bool // Upload was called: Close has nothing to store
}

// open begins the upload, when the first bytes come.
func (w *writer) open() *storage.Writer {
	if w.writer == nil {
		w.writer = storage.NewWriter(w.ctx, w.bucket, w.key, w.opts...)
	}
	return w.writer
}

func (w *writer) Write(p []byte) (int, error) { return w.open().Write(p) }

// Upload stores all of r. A file is read in place, in parallel. The Go CDK calls Close after it, also
// if it fails.
func (w *writer) Upload(r io.Reader) error {
	w.uploaded = true
	_, err := w.bucket.Upload(w.ctx, w.key, r, w.opts...)
	return err
}

// Close stores the object, unless the context is done.
func (w *writer) Close() error {
	if w.uploaded {
		return nil
	}
	open := w.open()
	defer func() { _ = open.Close() }()
	_, err := open.Commit()
	return err
}

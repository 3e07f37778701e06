package gocloud

import (
	"context"
	"io"
	"mime"
	"strings"

	"gocloud.dev/blob/driver"

	"github.com/omnibucket/storage"
)

// leastPart is the smallest BufferSize, in bytes, that sets the size of a part. The size of a part
// is rounded to a multiple of partUnit, because Google accepts only multiples of 256 KiB.
const (
	leastPart = 5 << 20
	partUnit  = 1 << 20
)

// NewTypedWriter begins a write, and Close of the writer stores the object. The Go CDK checks
// ContentMD5 itself: if the content has another MD5, it cancels ctx before it calls Close.
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
	if err := runCallback(o.BeforeWrite, &opts); err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, bucket: b.Bucket, key: escapeKey(key), opts: opts}, nil
}

// checkWriter fails if an option is set that the store does not support.
func (b *bucket) checkWriter(o *driver.WriterOptions) error {
	if o.IfNotExist && !storage.Supports(b.Bucket, storage.ConditionalCreate) {
		return newUnsupported("NewWriter", "the store does not support IfNotExist")
	}
	if len(o.Metadata) > 0 && !storage.Supports(b.Bucket, storage.Metadata) {
		return newUnsupported("NewWriter", "the store does not support Metadata")
	}
	hasProperties := o.CacheControl != "" || o.ContentDisposition != "" ||
		o.ContentEncoding != "" || o.ContentLanguage != ""
	if hasProperties && !storage.Supports(b.Bucket, storage.ContentProperties) {
		return newUnsupported("NewWriter",
			"the store does not support CacheControl, ContentDisposition, ContentEncoding and ContentLanguage")
	}
	return nil
}

// uploadOptions converts the options of the Go CDK for a write to those of this library.
func (b *bucket) uploadOptions(
	contentType string, metadata map[string]string, o *driver.WriterOptions,
) (opts []storage.UploadOption) {
	if storage.Supports(b.Bucket, storage.ContentProperties) {
		opts = append(opts, storage.WithContentType(mediaType(contentType)))
	}
	if len(metadata) > 0 {
		opts = append(opts, storage.WithMetadata(metadata))
	}

	if o.CacheControl != "" {
		opts = append(opts, storage.WithCacheControl(o.CacheControl))
	}
	if o.ContentDisposition != "" {
		opts = append(opts, storage.WithContentDisposition(o.ContentDisposition))
	}
	if o.ContentEncoding != "" {
		opts = append(opts, storage.WithContentEncoding(o.ContentEncoding))
	}
	if o.ContentLanguage != "" {
		opts = append(opts, storage.WithContentLanguage(o.ContentLanguage))
	}

	if o.IfNotExist {
		opts = append(opts, storage.IfAbsent())
	}
	if o.BufferSize >= leastPart && storage.Supports(b.Bucket, storage.MultipartUploads) {
		// Round the size of a part down to a multiple of partUnit.
		wholeUnits := o.BufferSize / partUnit
		opts = append(opts, storage.WithPartSize(int64(wholeUnits*partUnit)))
	}
	if o.MaxConcurrency > 0 {
		opts = append(opts, storage.WithConcurrency(o.MaxConcurrency))
	}
	return opts
}

// mediaType returns contentType, or a general type in place of one that the library does not accept.
// The Go CDK also permits an empty type, and types without a slash.
func mediaType(contentType string) string {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(kind, "/") {
		return "application/octet-stream"
	}
	return contentType
}

// A writer is a write in progress.
type writer struct {
	ctx      context.Context // the Go CDK passes it only to NewTypedWriter
	bucket   storage.Bucket
	key      string
	opts     []storage.UploadOption
	writer   *storage.Writer // nil before the first Write
	uploaded bool            // true if Upload was called, so that Close has nothing to store
}

// open returns the writer of the upload, which it begins at the first call.
func (w *writer) open() *storage.Writer {
	if w.writer == nil {
		w.writer = storage.NewWriter(w.ctx, w.bucket, w.key, w.opts...)
	}
	return w.writer
}

func (w *writer) Write(p []byte) (int, error) { return w.open().Write(p) }

// Upload stores all bytes of r. If r is a file, its parts are read and sent in parallel. The Go CDK
// calls Close afterwards, even if Upload fails.
func (w *writer) Upload(r io.Reader) error {
	w.uploaded = true
	_, err := w.bucket.Upload(w.ctx, w.key, r, w.opts...)
	return err
}

// Close stores the object. If the context is done, it fails and stores nothing.
func (w *writer) Close() error {
	if w.uploaded {
		return nil
	}
	upload := w.open()
	defer upload.Close()
	_, err := upload.Commit()
	return err
}

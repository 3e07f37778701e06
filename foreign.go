package storage

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/chunks"
	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/internal/sourcebody"
)

// copyToForeign streams into a foreign bucket, by its Upload.
func copyToForeign(ctx context.Context, dst Uploader, key string, src Downloader, srcKey string, opts []CopyOption) (*Attrs, error) {
	var given CopyOptions
	if err := given.Apply(opts...); err != nil {
		return nil, located(dst, "Copy", key, ownError(err))
	}
	from, e := openForeignSource(ctx, "Copy", src, srcKey, &given)
	if e != nil {
		return nil, e
	}
	defer func() { _ = from.Close() }()
	kept := sourceOptions(from.Attrs().Properties)
	if given.Tail != nil && given.Condition == (Condition{}) {
		kept = append(kept, IfRevision(from.Attrs().Revision))
	}
	return uploadToForeign(ctx, dst, "Copy", key, sourcebody.One(from, given.Tail), append(kept, uploadOptions(opts)...))
}

// openForeignSource opens a source of op by its Download.
func openForeignSource(ctx context.Context, op string, src Downloader, key string, given *CopyOptions) (*Reader, *Error) {
	opts := nativeReads(given.SourceNative, false)
	if given.Version != "" {
		opts = append(opts, WithVersion(given.Version))
	}
	if given.Concurrency > 0 {
		opts = append(opts, WithConcurrency(given.Concurrency))
	}
	r, err := src.Download(ctx, key, opts...)
	if err != nil {
		e := asError(ctx, err)
		e.Op = op
		e.Key = cmp.Or(e.Key, key)
		if e.Code == PreconditionFailed { // not a condition of this call
			e.Code, e.Err = Changed, bodyError{err}
		}
		return nil, e
	}
	return r, nil
}

// composeForeign streams between the methods of a foreign bucket.
func composeForeign(ctx context.Context, dst Uploader, src Downloader, key string, srcKeys []string, opts []CopyOption) (*Attrs, error) {
	var given CopyOptions
	if err := given.ApplyCompose(srcKeys, opts...); err != nil {
		return nil, located(dst, "Compose", key, ownError(err))
	}
	first, unopened := openForeignSource(ctx, "Compose", src, srcKeys[0], &given)
	if unopened != nil {
		return nil, unopened
	}
	var kept []UploadOption
	if mediatype.ByExtension(key) == "" && given.ContentType == "" {
		kind := first.Attrs().ContentType
		kept = append(kept, propertyOption(0, func(p *Properties) { p.ContentType = kind }))
	}
	body := sourcebody.One(first, nil)
	defer body.Close()
	body.Open = func(i int) (io.ReadCloser, error) {
		if i+1 == len(srcKeys) {
			return nil, io.EOF
		}
		var next *Reader
		if next, unopened = openForeignSource(ctx, "Compose", src, srcKeys[i+1], &given); unopened != nil {
			return nil, unopened
		}
		return next, nil
	}
	a, err := uploadToForeign(ctx, dst, "Compose", key, body, append(kept, uploadOptions(opts)...))
	if unopened != nil { // it did not change while it was read
		return nil, unopened
	}
	return a, err
}

func uploadToForeign(ctx context.Context, dst Uploader, op, key string, body *sourcebody.Body, opts []UploadOption) (*Attrs, error) {
	a, err := dst.Upload(ctx, key, body, opts...)
	if failed := body.SourceFailure(); failed != nil && (err == nil || CodeOf(err) == BodyFailed) {
		return nil, located(dst, op, key, sourceFailed(ctx, failed))
	}
	return a, err
}

// sourceOptions are the properties of a copy's source. They have neither size nor
// checksum: the foreign bucket may store other bytes. Nor have they a storage class:
// the bucket's provider is not known.
func sourceOptions(source Properties) []UploadOption {
	source.ContentType = cmp.Or(source.ContentType, "application/octet-stream")
	return []UploadOption{writeOption(func(w written) { // what the bucket adds stays
		w.properties.ContentType = source.ContentType
		w.properties.ContentEncoding = cmp.Or(source.ContentEncoding, w.properties.ContentEncoding)
		w.properties.ContentDisposition = cmp.Or(source.ContentDisposition, w.properties.ContentDisposition)
		w.properties.ContentLanguage = cmp.Or(source.ContentLanguage, w.properties.ContentLanguage)
		w.properties.CacheControl = cmp.Or(source.CacheControl, w.properties.CacheControl)
		if len(source.Metadata) > 0 {
			w.properties.Metadata = source.Metadata
		}
	})}
}

// uploadOptions returns the options of a copy that fit an upload: all but
// WithVersion.
func uploadOptions(opts []CopyOption) []UploadOption {
	var fit []UploadOption
	for _, o := range opts {
		if o, ok := o.(UploadOption); ok {
			fit = append(fit, o)
		}
	}
	return fit
}

// NewReader makes the Reader of a type that implements Downloader itself. body delivers the
// length bytes of the object from offset; Close closes it. A short body is Unavailable,
// also io.ErrUnexpectedEOF; a long one is Internal.
func NewReader(attrs *Attrs, offset, length int64, body io.ReadCloser) *Reader {
	key := ""
	if attrs != nil {
		key = attrs.Key
	}
	return &Reader{attrs: attrs, offset: offset, length: length, from: &foreignBody{body: body, key: key, length: length}}
}

// A foreignBody is a body that was passed to NewReader.
type foreignBody struct {
	body   io.ReadCloser
	close  sync.Once
	key    string
	length int64
	read   int64
	failed error // what Read returns from now on
	more   [1]byte
}

func (b *foreignBody) Read(p []byte) (int, error) {
	switch {
	case b.failed != nil:
		return 0, b.failed
	case len(p) == 0:
		return 0, nil
	case b.read >= b.length:
		b.failed = b.finish()
		return 0, b.failed
	}
	n, err := buffer.ReadSome(b.body, p[:min(int64(len(p)), b.length-b.read)])
	b.read += int64(n)
	if err == io.EOF && b.read < b.length {
		err = b.fail(Unavailable, fmt.Errorf("the body has %d of its %d bytes: %w", b.read, b.length, io.ErrUnexpectedEOF))
	}
	b.failed = err
	return n, err
}

// finish returns io.EOF if the body has ended too.
func (b *foreignBody) finish() error {
	n, err := buffer.ReadSome(b.body, b.more[:])
	if n > 0 {
		return b.fail(Internal, fmt.Errorf("the body has more than its %d bytes", b.length))
	}
	return err
}

func (b *foreignBody) fail(code Code, err error) *Error {
	return &Error{Code: code, Op: "Download", Key: b.key, Retryable: code == Unavailable, Err: err}
}

func (b *foreignBody) WriteTo(w io.Writer) (int64, error) { return chunks.Copy(w, b) }

func (b *foreignBody) Close() (err error) {
	b.close.Do(func() { err = b.body.Close() })
	return err
}

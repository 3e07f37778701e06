package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/mediatype"
)

// A view is what Ref and Prefixed return for a foreign bucket, a type of the user's
// own. It calls only the bucket's methods, so that what the type overrides stays
// overridden.
type view struct {
	to     Bucket
	prefix string
	mask   permission
	bad    *Error // of the prefix
}

func (v *view) check(may permission, op string) error {
	switch {
	case v.mask&may != may:
		return &Error{Code: PermissionDenied, Op: op, Hint: "this reference was narrowed by Ref"}
	case v.bad != nil:
		e := *v.bad
		e.Op = op
		return &e
	}
	return nil
}

// through calls a method of the bucket, if the view permits it.
func through[T any](v *view, may permission, op string, call func() (T, error)) (result T, err error) {
	if err = v.check(may, op); err != nil {
		return result, err
	}
	result, err = call()
	return result, v.outward(err)
}

// outward removes the prefix from an error's key, and keeps what the user's type has
// wrapped around the error.
func (v *view) outward(err error) error {
	var e *Error
	if v.prefix == "" || !errors.As(err, &e) || !strings.HasPrefix(e.Key, v.prefix) {
		return err
	}
	inner := *e
	inner.Key = strings.TrimPrefix(e.Key, v.prefix)
	if _, bare := err.(*Error); bare {
		return &inner
	}
	return &viewError{whole: err, from: e, to: &inner}
}

// A viewError shows one error of this package, within another error, as to.
type viewError struct {
	whole    error
	from, to *Error
}

func (e *viewError) Error() string {
	return strings.Replace(e.whole.Error(), e.from.Error(), e.to.Error(), 1)
}

// Unwrap returns the error that is shown first, so that errors.As finds it.
func (e *viewError) Unwrap() []error { return []error{e.to, e.whole} }

func (v *view) attrs(a *Attrs) *Attrs {
	if a == nil || v.prefix == "" {
		return a
	}
	inner := *a
	inner.Key = strings.TrimPrefix(a.Key, v.prefix)
	return &inner
}

func (v *view) Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error) {
	a, err := through(v, mayUpload, "Upload", func() (*Attrs, error) { return v.to.Upload(ctx, v.prefix+key, body, opts...) })
	return v.attrs(a), err
}

func (v *view) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	if err := v.check(mayDownload, "Download"); err != nil {
		return nil, err
	}
	r, err := v.to.Download(ctx, v.prefix+key, opts...)
	if err != nil {
		return nil, v.outward(err)
	}
	if v.prefix == "" {
		return r, nil
	}
	offset, length := r.Range()
	return NewReader(v.attrs(r.Attrs()), offset, length, &viewBody{r, v}), nil
}

// A viewBody is a download whose errors have no prefix.
type viewBody struct {
	r *Reader
	v *view
}

func (b *viewBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	return n, b.v.outward(err)
}

func (b *viewBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.r.WriteTo(w)
	return n, b.v.outward(err)
}

func (b *viewBody) Close() error { return b.r.Close() }

func (v *view) List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error] {
	return func(yield func(ListEntry, error) bool) {
		err := v.check(mayList, "List")
		var r ListRequest
		if err == nil {
			err = r.Apply(opts...)
		}
		if err != nil {
			yield(ListEntry{}, err)
			return
		}
		v.inward(&r)
		left := r.set.limit // 0: there is none
		if left > 0 && v.prefix != "" {
			r.set.limit++ // for the folder marker, which is left out
		}
		for entry, err := range v.to.List(ctx, wholeList(r)) {
			if err == nil && v.prefix != "" && entry.Key == v.prefix {
				continue // a folder marker has no key in the view
			}
			entry.Key = strings.TrimPrefix(entry.Key, v.prefix)
			if !yield(entry, v.outward(err)) || err != nil {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

func (v *view) inward(r *ListRequest) {
	r.Prefix = v.prefix + r.Prefix
	if r.StartAfter != "" {
		r.StartAfter = v.prefix + r.StartAfter
	}
}

// wholeList is the request of a listing as one option.
type wholeList ListRequest

func (o wholeList) applyList(r *ListRequest) { *r = ListRequest(o) }

func (v *view) Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error) {
	a, err := through(v, mayAttrs, "Attrs", func() (*Attrs, error) { return v.to.Attrs(ctx, v.prefix+key, opts...) })
	return v.attrs(a), err
}

func (v *view) Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error) {
	return through(v, mayExists, "Exists", func() (bool, error) { return v.to.Exists(ctx, v.prefix+key, opts...) })
}

func (v *view) Remove(ctx context.Context, key string, opts ...RemoveOption) error {
	if err := v.check(mayRemove, "Remove"); err != nil {
		return err
	}
	return v.outward(v.to.Remove(ctx, v.prefix+key, opts...))
}

func (v *view) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	return through(v, maySignUpload, "SignedUploadURL", func() (*SignedURL, error) { return v.to.SignedUploadURL(ctx, v.prefix+key, opts...) })
}

func (v *view) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	return through(v, maySignDownload, "SignedDownloadURL", func() (*SignedURL, error) { return v.to.SignedDownloadURL(ctx, v.prefix+key, opts...) })
}

func (v *view) PublicURL(key string) (string, error) {
	return through(v, mayPublicURL, "PublicURL", func() (string, error) { return v.to.PublicURL(v.prefix + key) })
}

// listForeignPage lists a page of a foreign Lister, and one entry more to know whether
// it is the last page. It passes no limit: the Lister may count entries that it hides.
func listForeignPage(ctx context.Context, b Lister, token string, opts []ListOption) (*Page, error) {
	var r ListRequest
	err := r.Apply(opts...)
	if err == nil {
		if e := checkPageOptions(&r, token); e != nil {
			err = e
		}
	}
	if err != nil {
		return nil, located(b, "ListPage", "", ownError(err))
	}
	size := r.set.pageSize
	size = cmp.Or(size, defaultPageSize)
	r.set.pageSize = size + 1
	if token != "" {
		r.StartAfter = token
	}
	page := &Page{}
	for entry, err := range b.List(ctx, wholeList(r)) {
		if err != nil {
			return nil, err
		}
		if len(page.Entries) == size {
			page.Token = page.Entries[size-1].Key
			break
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

// copyToForeign streams into a foreign bucket, by its Upload.
func copyToForeign(ctx context.Context, dst Uploader, key string, c *copyOp, opts []CopyOption) (*Attrs, error) {
	from, e := c.download(ctx)
	if e != nil {
		return nil, e
	}
	defer func() { _ = from.Close() }()
	return uploadToForeign(ctx, dst, "Copy", key, &sourceBody{from: from}, append(sourceOptions(from.Attrs().Properties), uploadOptions(opts)...))
}

// composeForeign streams between the methods of a foreign bucket.
func composeForeign(ctx context.Context, dst Uploader, src Downloader, key string, c *composeOp, given []CopyOption) (*Attrs, error) {
	var natives []DownloadOption
	for _, n := range c.req.set.sourceNatives {
		natives = append(natives, nativeOption(n))
	}
	first, err := src.Download(ctx, c.srcKeys[0], natives...)
	if err != nil {
		return nil, err
	}
	var opts []UploadOption
	if mediatype.ByExtension(key) == "" && c.req.ContentType == "" {
		kind := first.Attrs().ContentType
		opts = append(opts, propertyOption(0, func(p *Properties) { p.ContentType = kind }))
	}
	body := &joinedBody{open: func(i int) (io.ReadCloser, error) {
		switch i {
		case 0:
			return first, nil
		case len(c.srcKeys):
			return nil, io.EOF
		}
		return src.Download(ctx, c.srcKeys[i], natives...)
	}}
	defer body.close()
	return uploadToForeign(ctx, dst, "Compose", key, body, append(opts, uploadOptions(given)...))
}

func uploadToForeign(ctx context.Context, dst Uploader, op, key string, body interface {
	io.Reader
	sourceFailure() error
}, opts []UploadOption) (*Attrs, error) {
	a, err := dst.Upload(ctx, key, body, opts...)
	if failed := body.sourceFailure(); failed != nil && (err == nil || CodeOf(err) == BodyFailed) {
		return nil, located(dst, op, key, sourceFailed(ctx, failed))
	}
	return a, err
}

// sourceOptions are the properties of a copy's source. They have neither size nor
// checksum: the foreign bucket may store other bytes. Nor have they a storage class:
// the bucket's provider is not known.
func sourceOptions(source Properties) []UploadOption {
	source.ContentType = cmp.Or(source.ContentType, "application/octet-stream")
	given := source.given() &^ propStorageClass
	return []UploadOption{writeOption(func(w written) {
		*w.properties = mergeProperties(*w.properties, source, given)
	})}
}

// given returns the properties that are set.
func (p *Properties) given() (given property) {
	for _, text := range textProperties {
		if *text.of(p) != "" {
			given |= text.bit
		}
	}
	if len(p.Metadata) > 0 {
		given |= propMetadata
	}
	return given
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

// NewReader makes the Reader of a type that implements [Downloader] itself. body
// delivers the length bytes of the object from offset; Close closes it. The bytes are
// counted: if body ends early, Read fails with Unavailable, which wraps
// io.ErrUnexpectedEOF; if it delivers more, Read fails with Internal at the end.
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

func (b *foreignBody) writeTo(w io.Writer) (int64, error) { return copyChunks(w, b) }

func (b *foreignBody) Close() (err error) {
	b.close.Do(func() { err = b.body.Close() })
	return err
}

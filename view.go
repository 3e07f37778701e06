package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/omnibucket/storage/internal/scope"
)

// A view is what Ref and Prefixed return for a foreign bucket, a type of the user's
// own. It calls only the bucket's methods, so that what the type overrides stays
// overridden.
type view struct {
	to    Bucket
	scope scope.Scope
}

func (v *view) check(may scope.Permission, op string) error {
	if e := outOfScope(&v.scope, may); e != nil {
		refused := *e
		refused.Op = op
		return &refused
	}
	return nil
}

// through calls a method of the bucket, if the view permits it.
func through[T any](v *view, may scope.Permission, op string, call func() (T, error)) (result T, err error) {
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
	if v.scope.Prefix == "" || !errors.As(err, &e) || !strings.HasPrefix(e.Key, v.scope.Prefix) {
		return err
	}
	inner := *e
	inner.Key = strings.TrimPrefix(e.Key, v.scope.Prefix)
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
	if a == nil || v.scope.Prefix == "" {
		return a
	}
	inner := *a
	inner.Key = strings.TrimPrefix(a.Key, v.scope.Prefix)
	return &inner
}

func (v *view) Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error) {
	a, err := through(v, scope.Upload, "Upload", func() (*Attrs, error) { return v.to.Upload(ctx, v.scope.Prefix+key, body, opts...) })
	return v.attrs(a), err
}

func (v *view) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	if err := v.check(scope.Download, "Download"); err != nil {
		return nil, err
	}
	r, err := v.to.Download(ctx, v.scope.Prefix+key, opts...)
	if err != nil {
		return nil, v.outward(err)
	}
	if v.scope.Prefix == "" {
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
	return listed(v, "List", opts, func(e *ListEntry) *string { return &e.Key }, func(o ListOption) iter.Seq2[ListEntry, error] { return v.to.List(ctx, o) })
}

// listed yields what a listing yields, as the view shows it. key points to the key of an entry.
func listed[E any](v *view, op string, opts []ListOption, key func(*E) *string, list func(ListOption) iter.Seq2[E, error]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		err := v.check(scope.List, op)
		var r ListOptions
		if err == nil {
			err = r.Apply(opts...)
		}
		if err != nil {
			failing[E](err)(yield)
			return
		}
		v.inward(&r)
		left := r.Limit // 0: there is none
		if left > 0 && v.scope.Prefix != "" {
			r.Limit++ // for the folder marker, which is left out
		}
		for entry, err := range list(wholeList(r)) {
			whole := key(&entry)
			shown, ok := v.shown(*whole)
			if err == nil && !ok {
				continue
			}
			*whole = shown
			if !yield(entry, v.outward(err)) || err != nil {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// shown returns the key that a listed key has in the view. A folder marker with the name of the view
// has none.
func (v *view) shown(whole string) (key string, ok bool) {
	return strings.TrimPrefix(whole, v.scope.Prefix), v.scope.Prefix == "" || whole != v.scope.Prefix
}

func (v *view) inward(r *ListOptions) {
	r.Prefix = v.scope.Prefix + r.Prefix
	if r.StartAfter != "" {
		r.StartAfter = v.scope.Prefix + r.StartAfter
	}
}

// wholeList is the request of a listing as one option.
type wholeList ListOptions

func (o wholeList) applyList(r *ListOptions) { *r = ListOptions(o) }

func (v *view) Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error) {
	a, err := through(v, scope.Attrs, "Attrs", func() (*Attrs, error) { return v.to.Attrs(ctx, v.scope.Prefix+key, opts...) })
	return v.attrs(a), err
}

func (v *view) Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error) {
	return through(v, scope.Exists, "Exists", func() (bool, error) { return v.to.Exists(ctx, v.scope.Prefix+key, opts...) })
}

func (v *view) Remove(ctx context.Context, key string, opts ...RemoveOption) error {
	if err := v.check(scope.Remove, "Remove"); err != nil {
		return err
	}
	return v.outward(v.to.Remove(ctx, v.scope.Prefix+key, opts...))
}

func (v *view) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	return through(v, scope.SignUpload, "SignedUploadURL", func() (*SignedURL, error) { return v.to.SignedUploadURL(ctx, v.scope.Prefix+key, opts...) })
}

func (v *view) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	return through(v, scope.SignDownload, "SignedDownloadURL", func() (*SignedURL, error) { return v.to.SignedDownloadURL(ctx, v.scope.Prefix+key, opts...) })
}

func (v *view) PublicURL(key string) (string, error) {
	return through(v, scope.PublicURL, "PublicURL", func() (string, error) { return v.to.PublicURL(v.scope.Prefix + key) })
}

package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
)

// view is what Ref and Prefixed make of a Bucket that is not ours: it uses the
// bucket's own methods and nothing else, so that what a user's type overrides
// stays overridden.
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

// outward takes the prefix off an error's key, and keeps what a user's type has
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

// A viewError is an error in which one of this package's is shown as another.
type viewError struct {
	whole    error
	from, to *Error
}

func (e *viewError) Error() string {
	return strings.Replace(e.whole.Error(), e.from.Error(), e.to.Error(), 1)
}

// Unwrap has what is shown first, which is what errors.As finds.
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
	if err := v.check(mayUpload, "Upload"); err != nil {
		return nil, err
	}
	a, err := v.to.Upload(ctx, v.prefix+key, body, opts...)
	return v.attrs(a), v.outward(err)
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

// A viewBody is a download whose errors lose the prefix.
type viewBody struct {
	*Reader
	v *view
}

func (b *viewBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	return n, b.v.outward(err)
}

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
			r.set.limit++ // the folder marker, which is left out, counts
		}
		for entry, err := range v.to.List(ctx, wholeList(r)) {
			if err == nil && v.prefix != "" && entry.Key == v.prefix {
				continue // a folder marker: it has no key in the view
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

// wholeList is a listing's request as one option.
type wholeList ListRequest

func (o wholeList) applyList(r *ListRequest) { *r = ListRequest(o) }

func (v *view) Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error) {
	if err := v.check(mayAttrs, "Attrs"); err != nil {
		return nil, err
	}
	a, err := v.to.Attrs(ctx, v.prefix+key, opts...)
	return v.attrs(a), v.outward(err)
}

func (v *view) Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error) {
	if err := v.check(mayExists, "Exists"); err != nil {
		return false, err
	}
	exists, err := v.to.Exists(ctx, v.prefix+key, opts...)
	return exists, v.outward(err)
}

func (v *view) Remove(ctx context.Context, key string, opts ...RemoveOption) error {
	if err := v.check(mayRemove, "Remove"); err != nil {
		return err
	}
	return v.outward(v.to.Remove(ctx, v.prefix+key, opts...))
}

func (v *view) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	if err := v.check(maySignUpload, "SignedUploadURL"); err != nil {
		return nil, err
	}
	u, err := v.to.SignedUploadURL(ctx, v.prefix+key, opts...)
	return u, v.outward(err)
}

func (v *view) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	if err := v.check(maySignDownload, "SignedDownloadURL"); err != nil {
		return nil, err
	}
	u, err := v.to.SignedDownloadURL(ctx, v.prefix+key, opts...)
	return u, v.outward(err)
}

func (v *view) PublicURL(key string) (string, error) {
	if err := v.check(mayPublicURL, "PublicURL"); err != nil {
		return "", err
	}
	address, err := v.to.PublicURL(v.prefix + key)
	return address, v.outward(err)
}

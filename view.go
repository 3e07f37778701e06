package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"reflect"
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
	a, err := through(v, scope.Upload, "Upload", func() (*Attrs, error) { return v.to.Upload(ctx, v.scope.Key(key), body, opts...) })
	return v.attrs(a), err
}

func (v *view) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	if err := v.check(scope.Download, "Download"); err != nil {
		return nil, err
	}
	r, err := v.to.Download(ctx, v.scope.Key(key), opts...)
	if err != nil {
		return nil, v.outward(err)
	}
	if v.scope.Prefix == "" {
		return r, nil
	}
	return &Reader{attrs: v.attrs(r.attrs), offset: r.offset, length: r.length, from: &viewBody{r, v}}, nil
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
		remaining := r.Limit // 0 if there is none
		if remaining > 0 && v.scope.Prefix != "" {
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
			if remaining--; remaining == 0 {
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
	a, err := through(v, scope.Attrs, "Attrs", func() (*Attrs, error) { return v.to.Attrs(ctx, v.scope.Key(key), opts...) })
	return v.attrs(a), err
}

func (v *view) Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error) {
	return through(v, scope.Exists, "Exists", func() (bool, error) { return v.to.Exists(ctx, v.scope.Key(key), opts...) })
}

func (v *view) Remove(ctx context.Context, key string, opts ...RemoveOption) error {
	return v.change(scope.Remove, "Remove", func() error { return v.to.Remove(ctx, v.scope.Key(key), opts...) })
}

func (v *view) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	return through(v, scope.SignUpload, "SignedUploadURL", func() (*SignedURL, error) { return v.to.SignedUploadURL(ctx, v.scope.Key(key), opts...) })
}

func (v *view) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	return through(v, scope.SignDownload, "SignedDownloadURL", func() (*SignedURL, error) { return v.to.SignedDownloadURL(ctx, v.scope.Key(key), opts...) })
}

func (v *view) PublicURL(key string) (string, error) {
	return through(v, scope.PublicURL, "PublicURL", func() (string, error) { return v.to.PublicURL(v.scope.Key(key)) })
}

var methodPermissions = map[string]scope.Permission{
	"Upload":            scope.Upload,
	"Download":          scope.Download,
	"List":              scope.List,
	"Attrs":             scope.Attrs,
	"Exists":            scope.Exists,
	"Remove":            scope.Remove,
	"SignedUploadURL":   scope.SignUpload,
	"SignedDownloadURL": scope.SignDownload,
	"PublicURL":         scope.PublicURL,
}

// Ref narrows b to the methods of P, an interface of methods that Bucket has; it panics for
// any other P. The result cannot be widened: by a type assertion, Ref or another function,
// the rest fails with PermissionDenied.
func Ref[P any](b Bucket) P {
	narrowed := narrow(b, maskOf(reflect.TypeFor[P]()))
	return narrowed.(P)
}

func maskOf(p reflect.Type) scope.Permission {
	if p.Kind() != reflect.Interface || p.NumMethod() == 0 {
		panic("storage: Ref: " + p.String() + " is not an interface of Bucket's methods")
	}
	whole := reflect.TypeFor[Bucket]()
	var mask scope.Permission
	for i := range p.NumMethod() {
		method := p.Method(i)
		own, found := whole.MethodByName(method.Name)
		if !found || own.Type != method.Type {
			panic("storage: Ref: " + p.String() + " has the method " + method.Name + ", which Bucket has not")
		}
		mask |= methodPermissions[method.Name]
	}
	return mask
}

func narrow(b Bucket, mask scope.Permission) Bucket { return inScope(b, scope.Scope{Mask: mask}) }

// Prefixed returns a view of the keys under prefix, whole segments that end in "/":
// "users/1" would reach users/10. It adds the prefix to keys that go in, and removes it
// from keys in Attrs, entries and Error.Key. Hooks see whole keys. Nothing else can be
// reached, listed, signed or removed.
func Prefixed(b Bucket, prefix string) Bucket {
	s := scope.Scope{Prefix: prefix, Mask: scope.Everything}
	if e := checkPrefix(prefix); e != nil {
		s.Bad = e
	}
	return inScope(b, s)
}

// inScope returns what outer shows of b.
func inScope(b Bucket, outer scope.Scope) Bucket {
	switch b := b.(type) {
	case engineBucket:
		return b.Narrow(outer)
	case *view:
		return &view{to: b.to, scope: b.scope.In(outer)}
	}
	return &view{to: b, scope: outer}
}

// outOfScope returns why an operation is not permitted.
func outOfScope(s *scope.Scope, may scope.Permission) *Error {
	if !s.Permits(may) {
		return &Error{Code: PermissionDenied, Hint: scope.NarrowedHint}
	}
	bad, _ := s.Bad.(*Error)
	return bad
}

package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/scope"
)

// A front is the one implementation of Bucket: a core, and the scope that narrows it. It checks the permission, adds
// the prefix, reads the options, calls the core, and removes the prefix from attributes and errors. Ref and Prefixed
// make another front of the same core.
type front struct {
	core  Core
	scope scope.Scope
}

// whole returns the front that shows all of a core.
func whole(c Core) *front { return &front{core: c, scope: scope.Scope{Mask: scope.Everything}} }

// in returns f narrowed by outer.
func (f *front) in(outer scope.Scope) *front { return &front{core: f.core, scope: f.scope.In(outer)} }

// need returns b as a bucket of this library, for a function op that needs one. If b is of another type, the error
// names op and key.
func need(b any, op, key string) (*front, *Error) {
	if f, ok := b.(*front); ok {
		return f, nil
	}
	e := unsupported(scope.Foreign(op, b), scope.ForeignHint)
	e.Op, e.Key = op, key
	return nil, e
}

// refused returns why the front does not permit an operation, or why its options are bad.
func (f *front) refused(may scope.Permission, applied error) *Error {
	switch {
	case !f.scope.Permits(may):
		return &Error{Code: PermissionDenied, Hint: scope.NarrowedHint}
	case f.scope.Bad != nil:
		return ownError(f.scope.Bad)
	case f.core == nil:
		return invalid("Core", "must not be nil")
	case applied != nil:
		return ownError(applied)
	}
	return nil
}

// check returns what refused returns, as an error of the operation.
func (f *front) check(may scope.Permission, op, key string, applied error) error {
	if e := f.refused(may, applied); e != nil {
		return located(f, op, key, e)
	}
	return nil
}

// An optionPool has the memory for options. Reading options makes them escape to the heap, and a call
// keeps only a part of them.
type optionPool[T any] struct{ free sync.Pool }

var (
	uploadPool optionPool[UploadOptions]
	readPool   optionPool[DownloadOptions]
	copyPool   optionPool[CopyOptions]
	removePool optionPool[RemoveOptions]
	signPool   optionPool[SignOptions]
)

// get returns options with no option set.
func (p *optionPool[T]) get() *T {
	if given, ok := p.free.Get().(*T); ok {
		return given
	}
	return new(T)
}

// put takes back options that are no longer in use.
func (p *optionPool[T]) put(given *T) {
	var none T
	*given = none
	p.free.Put(given)
}

func (f *front) Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error) {
	given := uploadPool.get()
	defer uploadPool.put(given)
	if err := f.check(scope.Upload, "Upload", key, given.Apply(opts...)); err != nil {
		return nil, err
	}
	given.View = f.scope.Prefix
	a, err := f.core.Upload(ctx, f.scope.Key(key), body, given)
	return f.answer(a, err, "Upload", key)
}

func (f *front) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	given := readPool.get()
	defer readPool.put(given)
	if err := f.check(scope.Download, "Download", key, given.Apply(opts...)); err != nil {
		return nil, err
	}
	r, err := f.core.Download(ctx, f.scope.Key(key), given)
	switch {
	case err != nil:
		return nil, f.outward(err)
	case r == nil:
		return nil, f.noAnswer("Download", key)
	}
	if f.scope.Prefix != "" {
		r.prefix += f.scope.Prefix // after that of a view which the core reads
		f.attrs(r.attrs)
	}
	return r, nil
}

func (f *front) Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error) {
	given := readPool.get()
	defer readPool.put(given)
	if err := f.check(scope.Attrs, "Attrs", key, given.ApplyAttrs(opts...)); err != nil {
		return nil, err
	}
	a, err := f.core.Attrs(ctx, f.scope.Key(key), given)
	return f.answer(a, err, "Attrs", key)
}

func (f *front) Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error) {
	given := readPool.get()
	defer readPool.put(given)
	if err := f.check(scope.Exists, "Exists", key, given.ApplyAttrs(opts...)); err != nil {
		return false, err
	}
	there, err := f.core.Exists(ctx, f.scope.Key(key), given)
	return there, f.outward(err)
}

func (f *front) Remove(ctx context.Context, key string, opts ...RemoveOption) error {
	given := removePool.get()
	defer removePool.put(given)
	if err := f.check(scope.Remove, "Remove", key, given.Apply(opts...)); err != nil {
		return err
	}
	return f.outward(f.core.Remove(ctx, f.scope.Key(key), given))
}

func (f *front) List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error] {
	given := &ListOptions{}
	if e := f.refused(scope.List, given.Apply(opts...)); e != nil {
		return failing[ListEntry](located(f, "List", given.Prefix, e))
	}
	f.inward(given)
	list := f.core.List(ctx, given)
	if list == nil {
		return failing[ListEntry](f.noAnswer("List", given.Prefix))
	}
	if f.scope.Prefix == "" {
		return list
	}
	return func(yield func(ListEntry, error) bool) {
		list(func(entry ListEntry, err error) bool { // a range statement would take more memory
			marker := false
			if err == nil {
				marker, err = f.show("List", &entry.Key)
			}
			return marker || yield(entry, f.outward(err)) && err == nil
		})
	}
}

func (f *front) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	given := signPool.get()
	defer signPool.put(given)
	if err := f.check(scope.SignUpload, "SignedUploadURL", key, given.ApplyUpload(opts...)); err != nil {
		return nil, err
	}
	u, err := f.core.SignedUploadURL(ctx, f.scope.Key(key), given)
	return u, f.outward(err)
}

func (f *front) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	given := signPool.get()
	defer signPool.put(given)
	if err := f.check(scope.SignDownload, "SignedDownloadURL", key, given.ApplyDownload(opts...)); err != nil {
		return nil, err
	}
	u, err := f.core.SignedDownloadURL(ctx, f.scope.Key(key), given)
	return u, f.outward(err)
}

func (f *front) PublicURL(key string) (string, error) {
	if err := f.check(scope.PublicURL, "PublicURL", key, nil); err != nil {
		return "", err
	}
	u, err := f.core.PublicURL(f.scope.Key(key))
	return u, f.outward(err)
}

// inward translates the request of a listing for the core.
func (f *front) inward(o *ListOptions) {
	o.View = f.scope.Prefix
	o.Prefix = f.scope.Prefix + o.Prefix
	if o.StartAfter != "" {
		o.StartAfter = f.scope.Prefix + o.StartAfter
	}
}

// show removes the prefix from a listed key. It returns true for the marker of the folder that the front shows. It
// fails if a Core lists what is elsewhere: without its prefix, the key would be that of another object here.
func (f *front) show(op string, key *string) (marker bool, err error) {
	if f.scope.Prefix == "" {
		return false, nil
	}
	shown, below := strings.CutPrefix(*key, f.scope.Prefix)
	if !below {
		return false, located(
			f, op, "", &Error{Code: Internal, Err: errors.New("the Core listed a key of another prefix")},
		)
	}
	*key = shown
	return shown == "", nil
}

// answer returns what a Core has returned, as the front shows it.
func (f *front) answer(a *Attrs, err error, op, key string) (*Attrs, error) {
	if a == nil && err == nil {
		return nil, f.noAnswer(op, key)
	}
	return f.attrs(a), f.outward(err)
}

func (f *front) noAnswer(op, key string) error {
	return located(
		f, op, key, &Error{Code: Internal, Err: errors.New("the Core returned neither a result nor an error")},
	)
}

// attrs removes the prefix from attributes, which belong to the call.
func (f *front) attrs(a *Attrs) *Attrs {
	if a != nil && f.scope.Prefix != "" {
		a.Key = strings.TrimPrefix(a.Key, f.scope.Prefix)
	}
	return a
}

// outward removes the prefix from the key of an error, and keeps what a Core has wrapped around the error.
func (f *front) outward(err error) error { return withoutPrefix(err, f.scope.Prefix) }

func withoutPrefix(err error, prefix string) error {
	if err == nil || prefix == "" {
		return err
	}
	return prefixRemoved(err, prefix)
}

// prefixRemoved is apart from withoutPrefix, because it allocates memory.
func prefixRemoved(err error, prefix string) error {
	if e, bare := err.(*Error); bare {
		return e.inView(prefix)
	}
	shown := &prefixedError{whole: err}
	shown.add(err, prefix)
	if len(shown.errs) == 0 {
		return err
	}
	return shown
}

// inView returns the error as a view with the prefix shows it.
func (e *Error) inView(prefix string) *Error {
	shown := *e
	shown.Key = strings.TrimPrefix(e.Key, prefix)
	return &shown
}

// A prefixedError shows the errors of this package within another error without the prefix of their keys.
type prefixedError struct {
	whole error
	from  []error // the errors of this package that whole contains
	errs  []error // the same errors as they are shown
}

// add adds the errors of this package in a tree. An error within an *Error is not about the key.
func (e *prefixedError) add(err error, prefix string) {
	switch in := err.(type) {
	case *Error:
		e.from, e.errs = append(e.from, in), append(e.errs, in.inView(prefix))
	case interface{ Unwrap() []error }:
		for _, inner := range in.Unwrap() {
			e.add(inner, prefix)
		}
	case interface{ Unwrap() error }:
		e.add(in.Unwrap(), prefix)
	}
}

func (e *prefixedError) Error() string {
	var texts []string
	for i, from := range e.from {
		texts = append(texts, from.Error(), e.errs[i].Error())
	}
	return strings.NewReplacer(texts...).Replace(e.whole.Error())
}

// Unwrap returns the errors as they are shown, and not what they were: that has whole keys.
func (e *prefixedError) Unwrap() []error { return e.errs }

// Is finds what a Core has wrapped around the errors.
func (e *prefixedError) Is(target error) bool { return errors.Is(e.whole, target) }

// As finds what a Core has wrapped around the errors. An *Error is found by Unwrap.
func (e *prefixedError) As(target any) bool {
	_, ours := target.(**Error)
	return !ours && errors.As(e.whole, target)
}

// An engineCore is what functions need of a core of package engine.
type engineCore interface {
	BufferLimit() *buffer.Limit
	RetryPolicy() *backoff.Policy
	Need(f Features, what string) *Error
}

// engineOf returns the core of package engine that a bucket has, or nil.
func engineOf(b any) engineCore {
	f, ok := b.(*front)
	if !ok || f.core == nil {
		return nil
	}
	c, _ := f.core.Engine().(engineCore)
	return c
}

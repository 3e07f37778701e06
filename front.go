package storage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/core/effect"
	"github.com/omnibucket/storage/internal/core/hook"
	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// A front is the only implementation of Bucket in this package. It holds a Core, and the scope that
// narrows it to a prefix or to some permissions. A method checks the permission, adds the prefix,
// reads the options and calls the Core. Then it removes the prefix from attributes and errors. Ref
// and Prefixed make another front of the same Core.
type front struct {
	core  Core
	scope scope.Scope
	// owner is true if Open opened the Core only for this front. Close then closes the Core, even
	// if the front has a prefix.
	owner bool
	hooks []Hook // the hooks of the engine, for the calls that do not reach it
}

// newFront returns a front that shows all keys of a Core and permits all operations.
func newFront(c Core) *front { return &front{core: c, scope: scope.Scope{Mask: scope.Everything}} }

// view returns a front of the same Core. The scope of the result is the scope of f, narrowed
// further by the given scope.
func (f *front) view(outer scope.Scope) *front {
	return &front{core: f.core, scope: f.scope.In(outer), hooks: f.hooks}
}

// closes reports whether Close of f closes the Core.
func (f *front) closes() bool { return f.core != nil && (f.owner || f.scope.Whole()) }

// frontOf returns b as a bucket of this library, or, if b is of another type, an error that names the
// function op and the key.
func frontOf(b any, op, key string) (*front, error) {
	if f, ok := b.(*front); ok {
		return f, nil
	}
	err := unsupported(scope.Foreign(op, b), scope.ForeignHint)
	err.Op = op
	err.Key = key
	return nil, err
}

// orFailing returns b, or, if b is nil, a bucket on which every call fails with InvalidArgument. It is
// for functions that accept types of the user's own.
func orFailing[B any](b B) B {
	if any(b) != nil {
		return b
	}
	bad := invalid("bucket", "must not be nil")
	failing := any(&front{scope: scope.Scope{Mask: scope.Everything, Bad: bad}})
	return failing.(B)
}

// locateError adds the operation and key to err and, if b is a bucket of this library, the bucket.
func locateError(b any, op, key string, err *Error) *Error {
	err.Op = op
	err.Key = key
	if f, ok := b.(*front); ok && f.core != nil {
		err.Provider, err.Bucket = f.core.Name()
	}
	return err
}

// checkAllowed returns an error if the scope does not permit the operation, or if f has no Core. Otherwise
// it returns optsErr, the error of the operation's options, or nil.
func (f *front) checkAllowed(permission scope.Permission, optsErr error) *Error {
	if !f.scope.Permits(permission) {
		return &Error{Code: PermissionDenied, Hint: scope.NarrowedHint}
	}
	if f.scope.Bad != nil {
		// The prefix of the scope is invalid.
		return ownError(f.scope.Bad)
	}
	if f.core == nil {
		return invalid("Core", "must not be nil")
	}
	if optsErr != nil {
		return ownError(optsErr)
	}
	return nil
}

// check is checkAllowed for an operation whose refusal the hooks see. The error contains the
// operation, the key and, if it is known, the bucket.
func (f *front) check(ctx context.Context, permission scope.Permission, op, key string, optsErr error) error {
	if err := f.checkAllowed(permission, optsErr); err != nil {
		return f.refuse(ctx, Operation{Name: op, Key: f.scope.Key(key)}, locateError(f, op, key, err))
	}
	return nil
}

// refusedListing returns a listing of the keys with a prefix that yields err and nothing else. The hooks
// see the refusal when the listing is read, as they see any other listing.
func refusedListing[E any](ctx context.Context, f *front, op, prefix string, err *Error) iter.Seq2[E, error] {
	err = locateError(f, op, prefix, err)
	return func(yield func(E, error) bool) {
		var none E
		yield(none, f.refuse(ctx, Operation{Name: op, Key: f.scope.Prefix + prefix}, err))
	}
}

// refuse shows an operation to the hooks that fails with err and does not reach the engine. It returns
// err. The keys of op are whole keys.
func (f *front) refuse(ctx context.Context, op Operation, err *Error) error {
	f.callHooks(ctx, op, err)
	return err
}

// refuseFunction returns err with the name of a function, such as [Update], that fails before its first
// operation. The hooks see that operation as refused.
func refuseFunction(ctx context.Context, b any, function, operation, key string, err *Error) *Error {
	err = locateError(b, function, key, err)
	if f, ok := b.(*front); ok {
		f.callHooks(ctx, Operation{Name: operation, Key: f.scope.Key(key)}, err)
	}
	return err
}

// callHooks calls the hooks before and after an operation that does not reach the engine, and whose
// error is failure or nil. It returns the error of a hook that denies the operation.
func (f *front) callHooks(ctx context.Context, op Operation, failure error) (denied error) {
	if len(f.hooks) == 0 {
		return nil
	}
	op.Provider, op.Bucket = f.core.Name()
	// The effects follow from the name, unless op has others.
	op.Effects = cmp.Or(op.Effects, Effects(effect.Operations[op.Name]))
	_, done, denied := hook.Call(ctx, f.hooks, op)
	if done != nil {
		done(Outcome{Err: cmp.Or(failure, denied)})
	}
	return denied
}

// An optionPool reuses the memory of options structs. Options always escape to the heap when they
// are read, and most calls need them only until the call returns.
type optionPool[T any] struct{ free sync.Pool }

var (
	uploadPool optionPool[UploadOptions]
	readPool   optionPool[DownloadOptions]
	copyPool   optionPool[CopyOptions]
	removePool optionPool[RemoveOptions]
	signPool   optionPool[SignOptions]
)

// get returns a struct of options in which no option is set.
func (p *optionPool[T]) get() *T {
	if opts, ok := p.free.Get().(*T); ok {
		return opts
	}
	return new(T)
}

// put returns an options struct to the pool. The caller must not use the struct after that.
func (p *optionPool[T]) put(opts *T) {
	var none T
	*opts = none
	p.free.Put(opts)
}

// Upload calls the Core if the scope of f permits it and the options are valid.
func (f *front) Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error) {
	o := uploadPool.get()
	defer uploadPool.put(o)
	if err := f.check(ctx, scope.Upload, "Upload", key, o.Apply(opts...)); err != nil {
		return nil, err
	}
	o.state.View = f.scope.Prefix // WithResume continues only uploads under this prefix
	attrs, err := f.core.Upload(ctx, f.scope.Key(key), body, o)
	return f.attrsOrError(attrs, err, "Upload", key)
}

// Download calls the Core if the scope of f permits it and the options are valid.
func (f *front) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	o := readPool.get()
	defer readPool.put(o)
	if err := f.check(ctx, scope.Download, "Download", key, o.Apply(opts...)); err != nil {
		return nil, err
	}

	r, err := f.core.Download(ctx, f.scope.Key(key), o)
	if err != nil {
		return nil, f.errorInView(err)
	}
	if r == nil {
		return nil, f.noAnswer("Download", key)
	}
	if f.scope.Prefix != "" {
		// If the Core has got r from another bucket, the keys in the errors of r begin with the prefix
		// of that bucket, followed by the prefix of f. Both must be removed.
		r.prefix += f.scope.Prefix
		r.attrs = f.attrsInView(r.attrs, key)
	}
	return r, nil
}

// Attrs calls the Core if the scope of f permits it and the options are valid.
func (f *front) Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error) {
	o := readPool.get()
	defer readPool.put(o)
	if err := f.check(ctx, scope.Attrs, "Attrs", key, o.ApplyAttrs(opts...)); err != nil {
		return nil, err
	}
	attrs, err := f.core.Attrs(ctx, f.scope.Key(key), o)
	return f.attrsOrError(attrs, err, "Attrs", key)
}

// Exists calls the Core if the scope of f permits it and the options are valid.
func (f *front) Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error) {
	o := readPool.get()
	defer readPool.put(o)
	if err := f.check(ctx, scope.Exists, "Exists", key, o.ApplyAttrs(opts...)); err != nil {
		return false, err
	}
	exists, err := f.core.Exists(ctx, f.scope.Key(key), o)
	return exists, f.errorInView(err)
}

// Remove calls the Core if the scope of f permits it and the options are valid.
func (f *front) Remove(ctx context.Context, key string, opts ...RemoveOption) error {
	o := removePool.get()
	defer removePool.put(o)
	if err := f.check(ctx, scope.Remove, "Remove", key, o.Apply(opts...)); err != nil {
		return err
	}
	return f.errorInView(f.core.Remove(ctx, f.scope.Key(key), o))
}

// List calls the Core if the scope of f permits it and the options are valid. It removes the prefix of
// f from the keys, and leaves out an object whose key is the prefix itself.
func (f *front) List(ctx context.Context, opts ...ListOption) iter.Seq2[ListEntry, error] {
	o := &ListOptions{}
	optsErr := o.Apply(opts...)
	if err := f.checkAllowed(scope.List, optsErr); err != nil {
		return refusedListing[ListEntry](ctx, f, "List", o.Prefix, err)
	}

	f.addPrefix(o)
	list := f.core.List(ctx, o)
	if list == nil {
		return failedListing[ListEntry](f.noAnswer("List", strings.TrimPrefix(o.Prefix, f.scope.Prefix)))
	}

	hasPrefix := f.scope.Prefix != ""
	if !hasPrefix {
		// There is nothing to remove from the keys.
		return list
	}

	return func(yield func(ListEntry, error) bool) {
		// A range statement would allocate more memory.
		list(func(entry ListEntry, err error) bool {
			if err != nil {
				yield(entry, f.errorInView(err))
				return false
			}
			isFolderMarker, err := f.trimPrefix("List", &entry.Key)
			if err != nil {
				yield(entry, err)
				return false
			}
			if isFolderMarker {
				return true
			}
			return yield(entry, nil)
		})
	}
}

// SignedUploadURL calls the Core if the scope of f permits it and the options are valid.
func (f *front) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	o := signPool.get()
	defer signPool.put(o)
	if err := f.check(ctx, scope.SignUpload, "SignedUploadURL", key, o.ApplyUpload(opts...)); err != nil {
		return nil, err
	}
	signedURL, err := f.core.SignedUploadURL(ctx, f.scope.Key(key), o)
	return resultOrError(f, signedURL, err, "SignedUploadURL", key)
}

// SignedDownloadURL calls the Core if the scope of f permits it and the options are valid.
func (f *front) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	o := signPool.get()
	defer signPool.put(o)
	if err := f.check(ctx, scope.SignDownload, "SignedDownloadURL", key, o.ApplyDownload(opts...)); err != nil {
		return nil, err
	}
	signedURL, err := f.core.SignedDownloadURL(ctx, f.scope.Key(key), o)
	return resultOrError(f, signedURL, err, "SignedDownloadURL", key)
}

// PublicURL calls the Core if the scope of f permits it.
func (f *front) PublicURL(key string) (string, error) {
	if err := f.check(context.Background(), scope.PublicURL, "PublicURL", key, nil); err != nil {
		return "", err
	}
	publicURL, err := f.core.PublicURL(f.scope.Key(key))
	return publicURL, f.errorInView(err)
}

// Close closes b and releases its resources, such as connections. Later operations on b, and on
// results of [Ref] and [Prefixed] of b, fail with InvalidArgument. The provider decides whether
// operations in progress fail. Close of a result of Ref or Prefixed does nothing.
func Close(b Bucket) error {
	f, err := frontOf(b, "Close", "")
	if err != nil {
		return err
	}
	if !f.closes() {
		return nil
	}
	return f.core.Close()
}

// As returns the provider's own client, for calls that this package does not have. T is *s3.Client
// of aws-sdk-go-v2, *storage.Client of cloud.google.com/go, *container.Client of azblob, or
// *os.Root for a directory. As returns false for any other T, for results of [Ref] and [Prefixed],
// for a bucket opened with prefix=, and for a type of your own. Hooks do not see what the client
// does, but a [Hook] can deny As, which then returns false.
func As[T any](b Bucket) (T, bool) {
	var none T
	f, ok := b.(*front)
	if !ok || f.core == nil || !f.scope.Whole() {
		return none, false
	}
	if f.callHooks(context.Background(), Operation{Name: "As"}, nil) != nil {
		return none, false
	}
	native, ok := f.core.Native().(T)
	return native, ok
}

// addPrefix adds the prefix of f to the options of a listing, which the Core then gets.
func (f *front) addPrefix(o *ListOptions) {
	o.state.View = f.scope.Prefix
	o.Prefix = f.scope.Prefix + o.Prefix
	if o.StartAfter != "" {
		o.StartAfter = f.scope.Prefix + o.StartAfter
	}
}

// trimPrefix removes the prefix of f, which must not be "", from a listed key. It fails if the key does
// not begin with it. If the key is the prefix itself, isFolderMarker is true, and the caller must leave
// out the key.
func (f *front) trimPrefix(op string, key *string) (isFolderMarker bool, err error) {
	rest, hasPrefix := strings.CutPrefix(*key, f.scope.Prefix)
	if !hasPrefix {
		reason := errors.New("the Core listed a key of another prefix")
		return false, locateError(f, op, "", &Error{Code: Internal, Err: reason})
	}
	*key = rest
	return rest == "", nil
}

// attrsOrError returns the attributes and the error of a Core, as the caller of the bucket sees them.
// key is the key of the call.
func (f *front) attrsOrError(attrs *Attrs, err error, op, key string) (*Attrs, error) {
	attrs, err = resultOrError(f, attrs, err, op, key)
	return f.attrsInView(attrs, key), err
}

// resultOrError returns what a Core returned, with the prefix removed from the error. If the Core
// returned neither a result nor an error, it returns an error that says so.
func resultOrError[T any](f *front, result *T, err error, op, key string) (*T, error) {
	if result == nil && err == nil {
		return nil, f.noAnswer(op, key)
	}
	return result, f.errorInView(err)
}

// noAnswer returns the error for a Core that returned neither a result nor an error.
func (f *front) noAnswer(op, key string) error {
	return locateError(f, op, key, &Error{Code: Internal, Err: errors.New("the Core returned neither a result nor an error")})
}

// failedListing returns a listing that yields err and nothing else.
func failedListing[E any](err error) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		yield(none, err)
	}
}

// attrsInView returns the attributes that the Core returned, with the key that the caller used.
func (f *front) attrsInView(attrs *Attrs, key string) *Attrs {
	if attrs == nil || f.scope.Prefix == "" {
		return attrs
	}
	if serving.EngineOf(f.core) == nil {
		// The Core of a store makes new attributes for each call, but this one may return the same ones
		// again, so change a copy.
		clone := *attrs
		attrs = &clone
	}
	attrs.Key = key
	return attrs
}

// errorInView removes the prefix from the key of an error. If a Core has wrapped the error in other
// errors, these stay.
func (f *front) errorInView(err error) error { return withoutPrefix(err, f.scope.Prefix) }

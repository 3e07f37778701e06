package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/unexported"
)

// The functions of this file reach what package storage does not export, and make its errors.

// An optionPool has the memory for options. Reading options makes them escape to the heap, and a call
// keeps only a part of them.
type optionPool[T any] struct{ free sync.Pool }

var (
	uploadOptions optionPool[storage.UploadOptions]
	readOptions   optionPool[storage.DownloadOptions]
	copyOptions   optionPool[storage.CopyOptions]
	removeOptions optionPool[storage.RemoveOptions]
	signOptions   optionPool[storage.SignOptions]
)

// get returns options of which none is given.
func (p *optionPool[T]) get() *T {
	if given, ok := p.free.Get().(*T); ok {
		return given
	}
	return new(T)
}

// put takes options back, which nobody uses any more.
func (p *optionPool[T]) put(given *T) {
	var none T
	*given = none
	p.free.Put(given)
}

func state(e *storage.Error) *unexported.ErrorState { return unexported.Root.ErrorState(e) }

// asError returns an *Error of its own for any error of a driver, and decides whether the caller's ctx
// caused it.
func asError(ctx context.Context, err error) *storage.Error {
	return unexported.Root.AsError(ctx, err).(*storage.Error)
}

// ownError returns an *Error of its own for any error, and nil for nil.
func ownError(err error) *storage.Error { return unexported.Root.OwnError(err).(*storage.Error) }

// bodyFailed returns the error of a body that failed with err.
func bodyFailed(err error) *storage.Error { return unexported.Root.BodyFailed(err).(*storage.Error) }

// sourceFailed returns the error of a copy whose source failed with err.
func sourceFailed(ctx context.Context, err error) *storage.Error {
	return unexported.Root.SourceFailed(ctx, err).(*storage.Error)
}

// openForeignSource opens the source of a copy by its Download.
func openForeignSource(ctx context.Context, src storage.Downloader, key string, given *storage.CopyOptions) (*storage.Reader, *storage.Error) {
	r, err := unexported.Root.OpenSource(ctx, src, key, given)
	if err != nil {
		return nil, ownError(err)
	}
	return r.(*storage.Reader), nil
}

// moveByCopy moves an object by a copy and a removal.
func moveByCopy(ctx context.Context, b *bucket, from, to string, opts []storage.CopyOption) (*storage.Attrs, error) {
	a, err := unexported.Root.MoveByCopy(ctx, b, from, to, opts) // a *Attrs, nil if it failed
	return a.(*storage.Attrs), err
}

func openOptionsOf(opts any) *unexported.OpenOptions { return unexported.Root.OpenOptions(opts) }

// invalid returns an InvalidArgument that names the argument and the rule that it breaks.
func invalid(name, rule string) *storage.Error {
	return argument.Invalid(name, rule, "")
}

func unsupported(what, hint string) *storage.Error {
	return &storage.Error{Code: storage.Unsupported, Err: errors.New(what), Hint: hint}
}

// errPanicked returns the error of an operation that a panic has interrupted. The caller gets the panic
// in its place.
func errPanicked() *storage.Error {
	return &storage.Error{Code: storage.Internal, Err: panics.ErrPanicked}
}

// changed reports whether two reads of an object have seen different ones.
func changed(first, now *storage.Attrs) bool { return unexported.Root.Changed(first, now) }

func mismatch(want, got storage.CRC32C) *storage.Error {
	return &storage.Error{Code: storage.ChecksumMismatch, Err: fmt.Errorf("CRC32C is %s and should be %s", got, want)}
}

// advise adds a hint to a Code that means the same for every provider.
func advise(e *storage.Error) {
	switch {
	case e.Hint != "":
	case e.Code == storage.PreconditionFailed && state(e).Absent:
		e.Hint = "the key exists already"
	case e.Code == storage.BucketExists && e.Unknown:
		e.Hint = "this call may have created the bucket, without its settings: call UpdateBucket with them"
	case e.Code == storage.BucketNotFound:
		e.Hint = "check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket"
	}
}

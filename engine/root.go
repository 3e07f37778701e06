package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/bodyerror"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/seam"
)

// The functions of this file reach parts of package storage that are not exported, and make its
// errors.

func state(e *storage.Error) *seam.ErrorState { return seam.StateOf(e) }

// asError returns an *Error of its own for any error of a driver, and decides whether the caller's ctx
// caused it.
func asError(ctx context.Context, err error) *storage.Error { return storage.AsError(ctx, err) }

// ownError returns an *Error of its own for any error, and nil for nil.
func ownError(err error) *storage.Error {
	if own, ok := err.(*storage.Error); ok && own != nil {
		kept := *own
		return &kept
	}
	return storage.AsError(context.Background(), err)
}

// bodyFailed returns the error of a body that failed with err.
func bodyFailed(err error) *storage.Error {
	return &storage.Error{Code: storage.BodyFailed, Err: bodyerror.Of[storage.Code](err)}
}

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

// changed reports whether two reads of an object have seen different revisions.
func changed(first, now *storage.Attrs) bool { return !now.Same(first) }

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

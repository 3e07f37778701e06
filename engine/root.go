package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/core/bodyerror"
	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/running"
)

// The functions in this file make errors of package storage, and reach parts of that package that
// are not exported.

func state(err *storage.Error) *seam.ErrorState { return seam.StateOf(err) }

// optionState returns the part of an options struct that the root package does not export.
func optionState(o any) *seam.OptionState { return seam.OptionsOf(o) }

// asError returns a new *Error for the error of a driver. If the caller's ctx has ended, the Code
// says so.
func asError(ctx context.Context, err error) *storage.Error { return storage.AsError(ctx, err) }

// ownError returns err as a new *Error, which the caller may change, or nil for nil.
func ownError(err error) *storage.Error {
	if known, ok := err.(*storage.Error); ok && known != nil {
		clone := *known
		return &clone
	}
	return storage.AsError(context.Background(), err)
}

// bodyFailed returns BodyFailed for the error err of a body.
func bodyFailed(err error) *storage.Error {
	return &storage.Error{Code: storage.BodyFailed, Err: bodyerror.Of[storage.Code](err)}
}

// invalid returns InvalidArgument. Its text is the name of the argument and the rule that is
// broken.
func invalid(name, rule string) *storage.Error {
	return argument.Invalid(name, rule, "")
}

func unsupported(what, hint string) *storage.Error {
	return &storage.Error{Code: storage.Unsupported, Err: errors.New(what), Hint: hint}
}

// errPanicked returns the error of an operation that a panic has interrupted. The caller never sees
// it, because the panic reaches the caller instead.
func errPanicked() *storage.Error {
	return &storage.Error{Code: storage.Internal, Err: running.ErrPanicked}
}

// changed reports whether two reads of an object have seen different revisions.
func changed(first, current *storage.Attrs) bool { return !current.Same(first) }

func mismatch(want, got storage.CRC32C) *storage.Error {
	return &storage.Error{Code: storage.ChecksumMismatch, Err: fmt.Errorf("CRC32C is %s and should be %s", got, want)}
}

// addHint adds a hint to an error whose remedy is the same for every provider.
func addHint(err *storage.Error) {
	switch {
	case err.Hint != "":
		// The error keeps its own hint.
	case err.Code == storage.PreconditionFailed && state(err).Absent:
		err.Hint = "the key exists already"
	case err.Code == storage.BucketExists && err.Unknown:
		err.Hint = "this call may have created the bucket, without its settings: call UpdateBucket with them"
	case err.Code == storage.BucketNotFound:
		err.Hint = "check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket"
	}
}

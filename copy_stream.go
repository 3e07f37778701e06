package storage

import (
	"context"
)

// sourceFailed returns the error of a copy whose source failed with err. The Code is
// not the source's: PreconditionFailed would say that the destination exists.
func sourceFailed(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}
	source, e := ownError(err), bodyFailed(err)
	switch source.Code {
	case Changed, PreconditionFailed, ObjectNotFound, RangeNotSatisfiable: // it was there when it was opened
		e.Code = Changed
	}
	e.Hint, e.Status, e.RequestID = source.Hint, source.Status, source.RequestID
	e.Retryable, e.RetryAfter = source.Retryable, source.RetryAfter
	return e
}

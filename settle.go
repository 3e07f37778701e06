package storage

import (
	"context"
	"errors"
)

// settle finds out what a write that failed has done, where an attempt at it
// may have reached the store (e.Unknown): one look at the object tells by the
// write id whether it is there.
func (o *operation) settle(ctx context.Context, e *Error, cond Condition, writeID string) (*Attrs, *Error) {
	if e.Code == PreconditionFailed && cond.Absent {
		e.absent = true
	}
	if !e.Unknown || writeID == "" || ctx.Err() != nil {
		return nil, e
	}
	var found *Attrs
	look := o.call(ctx, func(ctx context.Context) (err error) {
		found, err = o.core.driver.Head(ctx, &GetRequest{Key: o.key, Length: -1})
		return err
	})
	if look == nil && found.Metadata[writeIDKey] == writeID {
		return found, nil
	}
	if e.Code != PreconditionFailed {
		return nil, e // nothing was proven: the request may still be under way
	}
	if cond.Absent && look == nil {
		e.Unknown = false // another's object was there first
		return nil, e
	}
	// Ours may have been there and be gone again.
	return nil, &Error{
		Code:    OutcomeUnknown,
		Unknown: true,
		Err:     errors.New("an answer was lost, and the object is another's now"),
		Hint:    "read the object to see what it holds",
		Status:  e.Status,
	}
}

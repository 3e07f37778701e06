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
	found, look := o.look(ctx)
	if look == nil && holdsWriteID(found.Metadata, writeID) {
		return found, nil
	}
	if e.Code != PreconditionFailed {
		return nil, e // nothing was proven: the request may still be under way
	}
	if cond.Absent && look == nil {
		e.Unknown = false // another's object was there first
		return nil, e
	}
	return nil, notOurs(e)
}

// look is what the object is now.
func (o *operation) look(ctx context.Context) (found *Attrs, e *Error) {
	e = o.call(ctx, func(ctx context.Context) (err error) {
		found, err = o.core.driver.Head(ctx, &GetRequest{Key: o.key, Length: -1})
		return err
	})
	return found, e
}

// notOurs is of a write that may have had its effect, and an object that is
// another's: ours may have been there and be gone again.
func notOurs(e *Error) *Error {
	return &Error{
		Code:    OutcomeUnknown,
		Unknown: true,
		Err:     errors.New("an answer was lost, and the object is another's now"),
		Hint:    "read the object to see what it holds",
		Status:  e.Status,
	}
}

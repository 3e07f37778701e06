// Package inquiry asks a store by writing a small object: what its clock says, which sets the modification times of its
// objects, and whether the two ends of a job are the same place. For the latter, it implements [evidence.End] for
// buckets and directories.
package inquiry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
)

// attempts is the number of tries to write the object and then read it. Another program may remove
// the object before it is read.
const attempts = 20

// Now returns the current time of the clock that sets Attrs.Modified. To read it, Now writes an
// empty object with the given key, and does not remove it. Other programs may write and remove the
// same object at the same time.
func Now(ctx context.Context, b storage.ReadWriter, key string) (time.Time, error) {
	attrs, err := writeEmpty(ctx, b, key)
	if err != nil {
		return time.Time{}, err
	}
	return attrs.Modified, nil
}

// writeEmpty writes an empty object, and returns its attributes with the time of the write. It
// tries again if another program removes the object first.
func writeEmpty(ctx context.Context, b storage.ReadWriter, key string) (*storage.Attrs, error) {
	attrs, err := writeAndStat(ctx, b, key)
	for attempt := 1; attempt < attempts && storage.CodeOf(err) == storage.ObjectNotFound; attempt++ {
		attrs, err = writeAndStat(ctx, b, key)
	}
	if err != nil {
		return nil, err
	}

	if attrs.Modified.IsZero() {
		return nil, &storage.Error{
			Code: storage.Internal,
			Key:  key,
			Err:  errors.New("the store does not report the time of the write"),
		}
	}
	return attrs, nil
}

// writeAndStat writes an empty object, and returns its attributes. It requests them if the response to the
// write lacks the modification time, as on S3.
func writeAndStat(ctx context.Context, b storage.ReadWriter, key string) (*storage.Attrs, error) {
	attrs, err := b.Upload(ctx, key, strings.NewReader(""))
	if err != nil {
		return nil, err
	}
	if !attrs.Modified.IsZero() {
		return attrs, nil
	}
	return b.Attrs(ctx, key)
}

// AskTime returns the current time of the clock that sets [storage.Attrs.Modified], for a job that
// removes objects by their age. The clock of this machine may be wrong.
//
// It writes an empty object in the folder of prefix, takes the time from the object, and removes it.
// An object that cannot be removed, as in an archive, stays, and jobs skip it.
func AskTime(ctx context.Context, b storage.ReadWriter, prefix string) (time.Time, error) {
	ctx = evidence.WithoutFailover(ctx)
	folder := prefix[:strings.LastIndexByte(prefix, '/')+1]
	key := evidence.NewKey(folder)
	attrs, err := writeEmpty(ctx, b, key)
	if err != nil {
		return time.Time{}, timeUnknown(err)
	}

	// Remove the version that was written. If the removal fails, the object stays, and jobs skip it.
	end := &bucket{write: b, version: attrs.Version}
	_ = end.Discard(ctx, key)
	return attrs.Modified, nil
}

// timeUnknown returns the error of [AskTime] if the write of its object failed with err. The hint says how to
// do without the write if it is not permitted.
func timeUnknown(err error) error {
	e := &storage.Error{
		Code: storage.CodeOf(err),
		Err:  fmt.Errorf("the time of the store is not known, which decides what is old: %w", err),
	}
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		e.Retryable = storageErr.Retryable
		e.Hint = storageErr.Hint
	}
	isNotPermitted := e.Code == storage.PermissionDenied || e.Code == storage.Unsupported
	if isNotPermitted {
		e.Hint = "permit to write an object whose name begins with omnibucket-question-, or give the time with transfer.WithNow"
	}
	return e
}

// Package storeclock reads the clock of a store, which sets the modification times of its objects.
package storeclock

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

// Now returns the current time of the clock that sets Attrs.Modified. To read the clock, it writes
// an empty object with the given key, and does not remove it. Other programs may write and remove
// the same object at the same time.
func Now(ctx context.Context, bucket storage.ReadWriter, key string) (time.Time, error) {
	for attempt := 1; ; attempt++ {
		attrs, err := bucket.Upload(ctx, key, strings.NewReader(""))
		if err == nil && attrs.Modified.IsZero() { // S3 does not return the modification time of a write
			attrs, err = bucket.Attrs(ctx, key)
		}
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound && attempt < attempts:
		case err != nil:
			return time.Time{}, err
		case attrs.Modified.IsZero():
			return time.Time{}, &storage.Error{
				Code: storage.Internal,
				Key:  key,
				Err:  errors.New("the store does not report the time of the write"),
			}
		default:
			return attrs.Modified, nil
		}
	}
}

// Ask returns the current time of the clock that sets Attrs.Modified, for a job that removes
// objects by their age. The clock of this machine may be wrong. Ask writes an empty object below
// the folder of prefix, and removes it. Jobs skip such an object. If it cannot be removed, as in an
// archive, it stays.
func Ask(ctx context.Context, bucket storage.ReadWriter, prefix string) (time.Time, error) {
	ctx = evidence.WithoutFailover(ctx)
	key := evidence.NewKey(prefix[:strings.LastIndexByte(prefix, '/')+1])
	now, err := Now(ctx, bucket, key)
	if err != nil {
		return time.Time{}, unknown(err)
	}
	discard(ctx, bucket, key)
	return now, nil
}

// unknown returns the error of [Ask] if the object could not be written.
func unknown(err error) error {
	e := &storage.Error{
		Code: storage.CodeOf(err),
		Err:  fmt.Errorf("the time of the store is not known, which decides what is old: %w", err),
	}
	storageErr, ok := errors.AsType[*storage.Error](err)
	if ok {
		e.Retryable = storageErr.Retryable
		e.Hint = storageErr.Hint
	}
	switch e.Code {
	case storage.PermissionDenied, storage.Unsupported:
		e.Hint = "permit to write an object whose name begins with omnibucket-question-, or give the time with transfer.WithNow"
	}
	return e
}

// discard removes the object that Ask has written, and its version.
func discard(ctx context.Context, bucket storage.ReadWriter, key string) {
	if storage.Supports(bucket, storage.Versioning) {
		attrs, err := bucket.Attrs(ctx, key)
		if err == nil && attrs.Version != "" && bucket.Remove(ctx, key, storage.WithVersion(attrs.Version)) == nil {
			return
		}
	}
	_ = bucket.Remove(ctx, key) // if it fails, the object stays, and jobs skip it
}

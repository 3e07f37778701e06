// Package storeclock reads the clock of a store, which sets the modification times of its objects.
package storeclock

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
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
				Code: storage.Internal, Key: key, Err: errors.New("the store does not report the time of the write"),
			}
		default:
			return attrs.Modified, nil
		}
	}
}

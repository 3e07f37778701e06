// Package storeclock reads the clock of a store, which dates its objects.
package storeclock

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// attempts limits how often other programs may remove the object before it is read.
const attempts = 20

// Now returns the current time by the clock of Attrs.Modified. It writes an empty object to
// know, which stays. Others may write and remove the same object meanwhile.
func Now(ctx context.Context, bucket storage.ReadWriter, key string) (time.Time, error) {
	for attempt := 1; ; attempt++ {
		attrs, err := bucket.Upload(ctx, key, strings.NewReader(""))
		if err == nil && attrs.Modified.IsZero() { // as on S3
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

// Package storeclock reads the clock of a store, which dates its objects.
package storeclock

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// Now returns the current time by the clock of Attrs.Modified. It writes an empty object to
// know, which stays.
func Now(ctx context.Context, bucket storage.ReadWriter, key string) (time.Time, error) {
	if _, err := bucket.Upload(ctx, key, strings.NewReader("")); err != nil {
		return time.Time{}, err
	}
	attrs, err := bucket.Attrs(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	if attrs.Modified.IsZero() {
		return time.Time{}, &storage.Error{Code: storage.Internal, Key: key, Err: errors.New("the store does not report the time of the write")}
	}
	return attrs.Modified, nil
}

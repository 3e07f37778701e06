package files

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// clockKey is an object that is written to read the store's time.
const clockKey = "files/clock"

// storeTime returns the current time by the clock of Attrs.Modified.
func (s *Store) storeTime(ctx context.Context) (time.Time, error) {
	if _, err := s.bucket.Upload(ctx, clockKey, strings.NewReader("")); err != nil {
		return time.Time{}, err
	}
	attrs, err := s.bucket.Attrs(ctx, clockKey)
	if err != nil {
		return time.Time{}, err
	}
	if attrs.Modified.IsZero() {
		return time.Time{}, &storage.Error{Code: storage.Internal, Key: clockKey, Err: errors.New("the store does not report the time of the write")}
	}
	return attrs.Modified, nil
}

// A waitFunc waits for d, or until ctx is done.
type waitFunc func(ctx context.Context, d time.Duration) error

// Package copyparts copies the parts of an object within a store.
package copyparts

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/parallel"
)

const (
	// DefaultSize is the size of a part in bytes if nothing else decides it.
	DefaultSize = 256 << 20

	concurrency = 8 // parts at once; the store does the work
	// maxAttempts is the number of attempts for one part. If only the core retried, one failure
	// among 10,000 parts would copy all of them again.
	maxAttempts = 3
	retryDelay  = 200 * time.Millisecond
	maxDelay    = time.Minute // longest wait, whatever the store asks for (rule T1)
)

// CopyAll calls copyPart for 0 to n-1, several at a time, and returns the first error.
// It retries a part if the error is Retryable.
func CopyAll(ctx context.Context, n int, copyPart func(ctx context.Context, i int) error) error {
	return parallel.Each(ctx, n, concurrency, func(ctx context.Context, i int) error {
		for attempt := 1; ; attempt++ {
			err := copyPart(ctx, i)
			var e *storage.Error
			if err == nil || attempt == maxAttempts || !errors.As(err, &e) || !e.Retryable ||
				ctxtime.Sleep(ctx, min(max(retryDelay<<attempt, e.RetryAfter), maxDelay)) != nil {
				return err
			}
		}
	})
}

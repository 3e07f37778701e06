// Package copyparts copies the parts of an object within a store.
package copyparts

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

const (
	// DefaultSize is the default size of a part in bytes.
	DefaultSize = 256 << 20

	concurrency = 8 // parts that are copied in parallel; the store does the work
	// maxAttempts is the number of attempts for one part. Without attempts of its own, a failed
	// part would make the engine repeat the whole copy, which may have 10,000 parts.
	maxAttempts = 3
	retryDelay  = 200 * time.Millisecond
	maxDelay    = time.Minute // longest wait, even if the store asks for more (rule T1)
)

// CopyAll calls copyPart for each i from 0 to n-1, several calls at a time, and returns the first error.
// It retries a part whose error is Retryable.
func CopyAll(ctx context.Context, n int, copyPart func(ctx context.Context, i int) error) error {
	copyWithRetries := func(ctx context.Context, i int) error {
		for attempt := 1; ; attempt++ {
			err := copyPart(ctx, i)
			storageErr, ok := errors.AsType[*storage.Error](err)
			if !ok || !storageErr.Retryable || attempt == maxAttempts {
				return err
			}
			delay := min(max(retryDelay<<attempt, storageErr.RetryAfter), maxDelay)
			if running.Sleep(ctx, delay) != nil {
				return err
			}
		}
	}
	return running.Each(ctx, n, concurrency, copyWithRetries)
}

// Package ctxtime waits for a time or the end of a context.
package ctxtime

import (
	"context"
	"time"
)

// Sleep waits for d. If ctx ends first, it returns ctx.Err().
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Package parallel does several things beside one another: some at a time, until
// the first fails.
package parallel

import (
	"context"

	"github.com/omnibucket/storage/internal/panics"
)

// Each calls do for 0 to n-1, at most atOnce at a time, waits for all that were
// begun, and answers with the first error, which keeps the rest from being begun
// and ends the context of those under way.
func Each(ctx context.Context, n, atOnce int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, atOnce)
	var group panics.Group
	for i := range n {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, i); err != nil {
				cancel(err) // the first alone has an effect
			}
		}, func() { cancel(nil) })
	}
	group.Wait()
	return context.Cause(ctx)
}

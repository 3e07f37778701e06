// Package parallel calls a function for several items at the same time.
package parallel

import (
	"context"

	"github.com/omnibucket/storage/internal/panics"
)

// Each calls do for 0 to n-1, at most limit at a time, and waits for all calls. It
// returns the first error, which cancels the context of the calls in progress and
// prevents further ones. If ctx ends, it returns the cause.
func Each(ctx context.Context, n, limit int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, limit)
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
				cancel(err) // only the first call has an effect
			}
		}, func() { cancel(nil) })
	}
	group.Wait()
	return context.Cause(ctx)
}

// All calls do for 0 to n-1, at most limit at a time, waits for all calls, and returns
// the error of each.
func All(n, limit int, do func(i int) error) []error {
	errs := make([]error, n)
	slots := make(chan struct{}, limit)
	var group panics.Group
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		}, nil)
	}
	group.Wait()
	return errs
}

// Package parallel calls a function for several items at the same time.
package parallel

import (
	"cmp"
	"context"
	"iter"

	"github.com/omnibucket/storage/internal/panics"
)

// Each calls the function do with each number from 0 to n-1. At most limit calls run at the same
// time. [Stream] describes what happens if a call fails or if ctx ends.
func Each(ctx context.Context, n, limit int, do func(ctx context.Context, i int) error) error {
	return Stream(ctx, func(yield func(int, error) bool) {
		for i := 0; i < n && yield(i, nil); i++ {
		}
	}, limit, do)
}

// Stream calls the function do with each item of a sequence, and waits for all calls. At most limit
// calls run at the same time. Stream returns the first error. If a call fails, Stream makes no
// further calls, and cancels the context of the calls in progress. If the sequence yields an error,
// Stream makes no further calls, but the calls in progress continue. If ctx ends, Stream returns
// the result of [context.Cause].
func Stream[T any](
	ctx context.Context, all iter.Seq2[T, error], limit int, do func(ctx context.Context, item T) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var group panics.Group
	defer group.Join() // waits for the calls even if the loop panics
	defer cancel(nil)
	slots := make(chan struct{}, limit)
	var failure error
	for item, err := range all {
		failure = err
		if err != nil {
			break
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, item); err != nil {
				cancel(err) // only the first cancel sets the cause
			}
		}, func() {
			cancel(nil)
		})
	}
	group.Wait()
	return cmp.Or(context.Cause(ctx), failure)
}

// All invokes do(i) for each number i from 0 to n-1, and waits until every call has returned. At
// most limit calls run at the same time. The result has the error of do(i) at index i.
func All(n, limit int, do func(i int) error) []error {
	errs := make([]error, n)
	_ = Each(context.Background(), n, limit, func(_ context.Context, i int) error {
		errs[i] = do(i)
		return nil
	})
	return errs
}

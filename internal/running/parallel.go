// Package running says how functions are called: several at the same time, again after a failure, and until a context
// ends.
//
// A [Limit] says how many calls may be in progress, and can find the number of requests that moves the most bytes per
// second. A [Group] passes a panic in one of its goroutines on to the goroutine of the caller, where the caller can
// recover from it. Without that, the panic would end the process, because recover works only in the goroutine that panics.
//
// A [Policy] decides whether a failed request is retried, and how long to wait before the retry.
//
// A context can end a wait ([Sleep]), a repeated call ([Every]), a reader ([Reader]), and the wait for a [Lock], which
// may be held during a request.
package running

import (
	"cmp"
	"context"
	"iter"
)

// Each calls do with each number from 0 to n-1, at most limit calls at the same time. [Stream]
// describes what happens if a call fails or ctx ends.
func Each(ctx context.Context, n, limit int, do func(ctx context.Context, i int) error) error {
	numbers := func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
	return Stream(ctx, numbers, limit, do)
}

// Stream calls do with each item of a sequence, at most limit calls at the same time, and waits for
// all calls. It returns the first error. If a call fails, Stream makes no further calls, and cancels
// the context of the calls in progress. If the sequence yields an error, Stream makes no further
// calls, but lets those in progress continue. If ctx ends, Stream returns its [context.Cause].
func Stream[T any](
	ctx context.Context, all iter.Seq2[T, error], limit int, do func(ctx context.Context, item T) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var group Group
	// Join waits for the calls even if the loop panics.
	defer group.Join()
	defer cancel(nil)

	// Each call in progress occupies one of the slots.
	slots := make(chan struct{}, limit)
	var seqErr error
	for item, err := range all {
		if err != nil {
			seqErr = err
			break
		}

		// Wait for a free slot. If ctx ends at the same moment, select may choose either case.
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}

		call := func() {
			defer func() { <-slots }()
			if callErr := do(ctx, item); callErr != nil {
				// Only the first cancel sets the cause.
				cancel(callErr)
			}
		}
		onPanic := func() { cancel(nil) } // the call has no error to pass on
		group.Go(call, onPanic)
	}

	// The cause is the first error of a call, or says how ctx has ended. Both come before an error of
	// the sequence.
	group.Wait()
	return cmp.Or(context.Cause(ctx), seqErr)
}

// All calls do with each number from 0 to n-1, at most limit calls at the same time, and returns the
// errors of all calls, in the order of their numbers.
func All(n, limit int, do func(i int) error) []error {
	errs := make([]error, n)
	_ = Each(context.Background(), n, limit, func(_ context.Context, i int) error {
		errs[i] = do(i)
		return nil
	})
	return errs
}

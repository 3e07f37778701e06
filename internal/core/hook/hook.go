// Package hook calls the hooks of a bucket. The root package and the engine call them in the same way.
package hook

import "context"

// Call calls the hooks in order, each with the context of the one before, until one returns an error.
// It returns the last context, which is for the operation, and the error. When the operation has ended, also
// by such an error, the caller must call done unless it is nil. The function done calls the functions that
// the hooks returned, the last one first.
func Call[H ~func(context.Context, Op) (context.Context, func(Outcome), error), Op, Outcome any](
	ctx context.Context, hooks []H, op Op,
) (hookCtx context.Context, done func(Outcome), err error) {
	for _, hook := range hooks {
		nextCtx, onEnd, err := hook(ctx, op)
		if onEnd != nil {
			done = chain(onEnd, done)
		}
		if err != nil {
			return ctx, done, err
		}
		if nextCtx != nil {
			ctx = nextCtx
		}
	}
	return ctx, done, nil
}

// chain returns a function that calls first and then next, which may be nil.
func chain[Outcome any](first, next func(Outcome)) func(Outcome) {
	if next == nil {
		return first
	}
	return func(outcome Outcome) {
		first(outcome)
		next(outcome)
	}
}

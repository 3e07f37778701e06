// Package cleanup removes what a failed call of a driver has left at the store, such as the parts of
// a canceled copy. The engine cannot retry that, because it retries whole calls.
package cleanup

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	// Timeout is the longest time that a cleanup may take. It continues even if the caller's context
	// has ended.
	Timeout = 30 * time.Second

	maxAttempts = 4
	firstDelay  = 200 * time.Millisecond
)

// Run calls remove, and repeats it after errors that are Retryable. The context of remove has the
// values of ctx and a time limit of its own.
func Run(ctx context.Context, remove func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Timeout)
	defer cancel()
	delay := firstDelay
	for attempt := 1; ; attempt++ {
		err := remove(ctx)
		storageErr, ok := errors.AsType[*storage.Error](err)
		if !ok || !storageErr.Retryable || attempt == maxAttempts {
			return err
		}
		if running.Sleep(ctx, max(delay, storageErr.RetryAfter)) != nil {
			return err
		}
		delay *= 2
	}
}

// After calls Run after a call of the driver that failed with failure, and returns failure. If the
// cleanup fails, too, failure gets a hint that names the rest, such as "the parts of the copy".
func After(ctx context.Context, failure error, rest string, remove func(ctx context.Context) error) error {
	err := Run(ctx, remove)
	if err == nil {
		return failure
	}
	hint := rest + " could not be removed: " + string(storage.CodeOf(err))
	if storageErr, ok := failure.(*storage.Error); ok && storageErr.Hint != "" {
		hint = storageErr.Hint + "; " + hint
	}
	return sdkerror.WithHint(failure, hint)
}

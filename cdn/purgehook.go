package cdn

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/running"
)

const (
	defaultPurgeTimeout = 30 * time.Second
	maxPurgedTogether   = 100 // URLs in one call of Purge; after a failure, all of them are purged again
	purgeAttempts       = 5
	maxPurgeDelay       = 5 * time.Second
)

// A PurgeConfig has the settings of [NewPurgeHook].
type PurgeConfig struct {
	Purger  Purger // required
	BaseURL string // address at which the CDN serves the bucket, such as https://cdn.example.com/; required
	// OnError is called with the last error if urls were not purged. CDNs then serve the old
	// objects until they expire. ctx has the values of the operation's context, but is not canceled
	// with it. OnError is required.
	OnError func(ctx context.Context, urls []string, err error)
	// Timeout limits the time that a purge and its retries add to one operation. The default is 30
	// s. NewPurgeHook refuses values below 1 ms.
	Timeout time.Duration
}

// NewPurgeHook returns a hook that purges the objects which an operation has changed. Open the
// bucket with it:
//
//	bucket, err := storage.Open(ctx, address, storage.WithHook(hook))
//
// It purges after Upload, Copy, Compose, Append, Update, Move, Remove, RemoveAll, RemoveVersions,
// Undelete and Restore, and after an open upload was completed. After a move, it purges both keys.
// It purges when the store has acknowledged the operation, before the operation returns. It also
// purges if the outcome is unknown, or if ctx has ended after the write. An operation never fails
// because of its purge. If a purge fails for a temporary reason, it is repeated up to four times,
// with growing waits.
//
// It purges URLs without a query. If the CDN caches an object once for each query, as with
// [CloudFrontConfig].ForwardsQuery, the other copies stay until they expire.
//
// It does not see writes that bypass this bucket: writes of other programs, and of clients with a
// signed URL, form or part. Call the Purger for their URLs. Changes of tags and locks purge
// nothing, because the CDN does not serve tags and locks.
//
// If a field of c is not valid, NewPurgeHook fails with InvalidArgument.
func NewPurgeHook(c PurgeConfig) (storage.Hook, error) {
	s, err := newSite("", c.BaseURL)
	if err != nil {
		return nil, err
	}
	if c.Purger == nil {
		return nil, argument.Invalid("Config.Purger", "must not be nil", "")
	}
	if c.OnError == nil {
		return nil, argument.Invalid("Config.OnError", "must not be nil", "")
	}
	if c.Timeout != 0 && c.Timeout < time.Millisecond {
		return nil, argument.Invalid("Config.Timeout", "must be at least 1 millisecond", "")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultPurgeTimeout
	}

	h := &purgeHook{
		config: c,
		site:   s,
		policy: running.NewPolicy(purgeAttempts, maxPurgeDelay, c.Timeout),
	}
	return h.run, nil
}

type purgeHook struct {
	config PurgeConfig
	site   site
	policy *running.Policy
}

// run implements [storage.Hook]. It returns a function that purges after the operation, or nil if the
// operation changes nothing. It returns no context of its own, and so does not change that of the operation.
func (h *purgeHook) run(
	ctx context.Context, op storage.Operation,
) (context.Context, func(storage.Outcome), error) {
	keys := changedKeys(op)
	if len(keys) == 0 {
		return nil, nil, nil
	}

	after := func(outcome storage.Outcome) {
		if mayHaveChanged(op, outcome) {
			h.purge(context.WithoutCancel(ctx), keys)
		}
	}
	return nil, after, nil
}

// changedKeys returns the keys of the objects that an operation changes.
func changedKeys(op storage.Operation) []string {
	switch op.Name {
	case "Upload", "Copy", "Compose", "Remove", "CompleteUpload", "Restore":
		return []string{op.Key}
	case "Move":
		// The keys are those of the target and of the source, which Move removes.
		return append([]string{op.Key}, op.Keys...)
	case "RemoveAll", "RemoveVersions":
		return op.Keys
	}
	return nil
}

// mayHaveChanged reports whether an operation with this outcome may have changed an object. An
// operation on several objects may have changed some before it failed, unless it sent no request.
func mayHaveChanged(op storage.Operation, outcome storage.Outcome) bool {
	if outcome.Err == nil || errors.Is(outcome.Err, storage.OutcomeUnknown) {
		return true
	}
	switch op.Name {
	case "Move", "RemoveAll", "RemoveVersions":
		return outcome.Requests > 0
	}
	return false
}

// purge purges the URLs of keys in batches, each of which may fail without the others.
func (h *purgeHook) purge(ctx context.Context, keys []string) {
	urls := make([]string, len(keys))
	for i, key := range keys {
		urls[i] = h.site.address(key)
	}
	slices.Sort(urls)
	urls = slices.Compact(urls)

	limited, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	for batch := range slices.Chunk(urls, maxPurgedTogether) {
		err := h.purgeBatch(limited, batch)
		if err != nil {
			// OnError gets the context without the time limit, which may have passed.
			h.config.OnError(ctx, batch, err)
		}
	}
}

// purgeBatch calls the Purger until it succeeds, or fails with an error that is not temporary, or may
// no longer be tried.
func (h *purgeHook) purgeBatch(ctx context.Context, urls []string) error {
	var tries running.Tries
	for {
		if err := ctx.Err(); err != nil {
			return storage.AsError(ctx, err)
		}
		err := h.config.Purger.Purge(ctx, slices.Clone(urls))
		if err == nil {
			h.policy.Succeeded()
			return nil
		}

		failure := storage.AsError(ctx, err)
		if ctx.Err() != nil || !storage.IsTemporary(failure) {
			return failure
		}

		isRateLimited := failure.Code == storage.RateLimited
		delay, mayRetry := h.policy.Allow(&tries, isRateLimited, failure.RetryAfter)
		if !mayRetry {
			return failure
		}
		if running.Sleep(ctx, delay) != nil {
			return failure // ctx has ended
		}
	}
}

package storage

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/omnibucket/storage/internal/panics"
)

const (
	// maxFailures bounds what RemoveAll joins into its error.
	maxFailures = 1000
	// A provider without batches is sent singles, this many at once, gathered
	// into groups that pass the hooks together.
	singlesAtOnce   = 16
	singlesTogether = 256
)

// Remove deletes the object.
func (b *bucket) Remove(ctx context.Context, key string, opts ...RemoveOption) error {
	o := &operation{}
	r := &DeleteRequest{}
	e := o.prepare(b, mayRemove, "Remove", key)
	if e == nil {
		if err := r.Apply(opts...); err != nil {
			e = ownError(err)
		} else {
			e = o.resolveRemove(r)
		}
	}
	if e != nil {
		return o.end(e)
	}
	ctx, e = o.begin(ctx)
	if e != nil {
		return o.end(e)
	}
	return o.end(o.remove(ctx, r))
}

func (o *operation) resolveRemove(r *DeleteRequest) *Error {
	if e := checkReadKey(o.key); e != nil {
		return e
	}
	r.Key = o.key
	if r.set.version {
		if e := o.core.need(KeepVersions, "WithVersion"); e != nil {
			return e
		}
	}
	return o.core.condition(&r.Condition, ConditionalRemove)
}

func (o *operation) remove(ctx context.Context, r *DeleteRequest) *Error {
	e := o.call(ctx, func(ctx context.Context) error { return o.core.driver.Delete(ctx, r) })
	return removeVerdict(e)
}

// removeVerdict is what a removal's failure means: what is gone is gone, and a
// condition that fails after an unanswered attempt proves nothing.
func removeVerdict(e *Error) *Error {
	switch {
	case e == nil || e.Code == ObjectNotFound:
		return nil
	case e.Code == PreconditionFailed && e.Unknown:
		e.Code = OutcomeUnknown
		e.Hint = "an answer was lost: this call may have removed the object, and another been written since"
	}
	return e
}

// RemoveAll removes every key, in the provider's batches, and goes on past
// failures: err joins one *Error for each key that is still there, or may be.
// After 1,000 failures it stops, so that memory is bounded; removed counts the
// keys that are gone, those that were not there included.
func RemoveAll(ctx context.Context, b Remover, keys iter.Seq[string]) (removed int, err error) {
	r := &removal{remover: b, ctx: ctx}
	if own, ok := b.(*bucket); ok {
		r.own = own
	}
	size := r.groupSize()
	group := make([]string, 0, size)
	for key := range keys {
		if group = append(group, key); len(group) < size {
			continue
		}
		if !r.remove(group) {
			group = nil
			break
		}
		group = group[:0]
	}
	if len(group) > 0 {
		r.remove(group)
	}
	return r.removed, errors.Join(r.failures...)
}

// RemoveMatching removes what a listing yields and match accepts (nil: all),
// as RemoveAll does; an error of the listing is among those joined. Prefixes of
// a listing with a delimiter are passed over.
func RemoveMatching(ctx context.Context, b interface {
	Lister
	Remover
}, match func(ListEntry) bool, opts ...ListOption) (removed int, err error) {
	var listed error
	removed, err = RemoveAll(ctx, b, func(yield func(string) bool) {
		for entry, failed := range b.List(ctx, opts...) {
			if failed != nil {
				listed = failed
				return
			}
			if entry.IsPrefix || match != nil && !match(entry) {
				continue
			}
			if !yield(entry.Key) {
				return
			}
		}
	})
	return removed, errors.Join(listed, err)
}

// removal is one call of RemoveAll.
type removal struct {
	ctx      context.Context
	remover  Remover
	own      *bucket // nil where the Remover is not ours
	singles  bool    // the provider refused a batch
	removed  int
	failures []error
}

func (r *removal) groupSize() int {
	if r.own == nil || r.own.core.desc.MaxBatch == 0 {
		return singlesTogether
	}
	return r.own.core.desc.MaxBatch
}

// remove removes one group of keys and takes in how each went; false where that
// was the last.
func (r *removal) remove(keys []string) bool {
	if r.ctx.Err() != nil {
		e := located(r.remover, "RemoveAll", "", asError(r.ctx, r.ctx.Err()))
		r.failures = append(r.failures, e)
		return false
	}
	var errs []error
	if r.own == nil {
		errs = atOnce(len(keys), func(i int) error { return r.ofKey(keys[i], r.remover.Remove(r.ctx, keys[i])) })
	} else {
		errs = r.removeOwn(slices.Clone(keys)) // hooks may keep them
	}
	for _, err := range errs {
		switch {
		case err == nil:
			r.removed++
		case len(r.failures) < maxFailures:
			r.failures = append(r.failures, err)
		}
	}
	return len(r.failures) < maxFailures
}

// ofKey is the error of a Remover that is not ours as one that names the key: who
// looks for the key would take it for removed.
func (r *removal) ofKey(key string, err error) error {
	if own := (*Error)(nil); err == nil || errors.As(err, &own) && own.Key == key {
		return err
	}
	return located(r.remover, "RemoveAll", key, &Error{Code: asError(r.ctx, err).Code, Err: err})
}

// removeOwn removes a group as one operation: hooks see all of its keys and
// refuse it whole.
func (r *removal) removeOwn(keys []string) []error {
	o := &operation{}
	errs := make([]error, len(keys))
	e := o.prepare(r.own, mayRemove, "RemoveAll", "")
	o.key = ""
	requests := make([]DeleteRequest, 0, len(keys))
	slots := make([]int, 0, len(keys)) // of requests in errs
	for i, key := range keys {
		whole := r.own.prefix + key
		o.keys = append(o.keys, whole)
		if bad := checkReadKey(whole); bad != nil && e == nil {
			errs[i] = o.keyed(bad, whole)
			continue
		}
		requests = append(requests, DeleteRequest{Key: whole})
		slots = append(slots, i)
	}
	ctx := r.ctx
	if e == nil && len(requests) > 0 {
		ctx, e = o.begin(ctx)
	}
	if e != nil {
		for _, i := range slots {
			errs[i] = o.keyed(e, o.keys[i])
		}
		_ = o.end(e)
		return errs
	}
	failed := r.send(ctx, o, requests)
	var first *Error
	for j, e := range failed {
		if e != nil {
			errs[slots[j]] = o.keyed(e, requests[j].Key)
			first = e
		}
	}
	_ = o.end(first)
	return errs
}

// keyed is one key's error.
func (o *operation) keyed(e *Error, key string) error {
	one := operation{core: o.core, name: o.name, key: key, prefix: o.prefix, writes: true}
	kept := *e
	kept.Key = ""
	return one.end(&kept)
}

// send removes by batch where the provider has batches, and one by one where
// it has none or refuses them.
func (r *removal) send(ctx context.Context, o *operation, requests []DeleteRequest) []*Error {
	if o.core.desc.MaxBatch > 0 && !r.singles {
		failed, supported := o.removeBatch(ctx, requests)
		if supported {
			return failed
		}
		r.singles = true
	}
	failed := make([]*Error, len(requests))
	atOnce(len(requests), func(i int) error {
		failed[i] = o.remove(ctx, &requests[i])
		return nil
	})
	return failed
}

// removeBatch is one batch; what failed for a passing reason is sent again in a
// smaller one. supported is false where the provider refuses batches.
func (o *operation) removeBatch(ctx context.Context, requests []DeleteRequest) (failed []*Error, supported bool) {
	failed = make([]*Error, len(requests))
	left := make([]int, len(requests))
	for i := range left {
		left[i] = i
	}
	var tried tries
	for attempt := 1; ; attempt++ {
		batch := make([]DeleteRequest, len(left))
		for i, at := range left {
			batch[i] = requests[at]
		}
		if o.turn(ctx) != nil {
			o.gaveUpAll(ctx, failed, left)
			return failed, true
		}
		o.attempted()
		errs := o.core.driver.DeleteBatch(ctx, batch)
		if attempt > 1 && allUnsupported(errs) {
			atOnce(len(left), func(i int) error {
				failed[left[i]] = o.remove(ctx, &requests[left[i]])
				return nil
			})
			return failed, true
		}
		var again []int
		var why *Error // the first that may pass; RateLimited before any other
		for i, at := range left {
			var err error = Internal
			if i < len(errs) {
				err = errs[i]
			}
			if err == nil {
				failed[at] = nil
				continue
			}
			e := asError(ctx, err)
			if e.Code == Unsupported && attempt == 1 && len(left) == len(requests) && allUnsupported(errs) {
				return nil, false
			}
			if e.Retryable {
				again = append(again, at)
				if why == nil || e.Code == RateLimited && why.Code != RateLimited {
					why = e
				}
			}
			failed[at] = removeVerdict(e)
		}
		o.ended(why)
		if len(again) == 0 || ctx.Err() != nil {
			return failed, true
		}
		delay, another := o.core.retry.again(&tried, why)
		if !another {
			return failed, true
		}
		if sleep(ctx, delay) != nil {
			o.gaveUpAll(ctx, failed, again)
			return failed, true
		}
		left = again
	}
}

// gaveUpAll is gaveUp for the requests of a batch that are left.
func (o *operation) gaveUpAll(ctx context.Context, failed []*Error, left []int) {
	for _, at := range left {
		failed[at] = o.gaveUp(ctx, failed[at], failed[at] != nil && failed[at].Unknown)
	}
}

func allUnsupported(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool { return err == nil || CodeOf(err) != Unsupported })
}

// atOnce calls do for 0 to n-1, several at a time, and waits for all.
func atOnce(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var group panics.Group
	slots := make(chan struct{}, singlesAtOnce)
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

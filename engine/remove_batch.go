package engine

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/removal"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/unexported"
)

// Remove deletes the object.
func (b *bucket) Remove(ctx context.Context, key string, opts ...storage.RemoveOption) error {
	call := &struct { // one allocation
		op  operation
		req driver.DeleteRequest
	}{}
	o, r, given := &call.op, &call.req, removeOptions.get()
	defer removeOptions.put(given)
	e := o.prepare(b, scope.Remove, "Remove", key)
	if e == nil {
		e = ownError(given.Apply(opts...))
	}
	if e == nil {
		*r = driver.DeleteRequest{Version: given.Version, Condition: given.Condition, BypassGovernance: given.BypassGovernance}
		e = b.core.resolveRemove(o.key, r, settings(given))
	}
	return o.do(ctx, e, func(ctx context.Context) *storage.Error { return removeOne(ctx, o, r) })
}

// resolveRemove checks a removal, and completes its request.
func (c *core) resolveRemove(key string, r *driver.DeleteRequest, set *unexported.Settings) *storage.Error {
	if e := c.checkReadKey(key); e != nil {
		return e
	}
	r.Key = key
	if e := c.needVersion(set); e != nil {
		return e
	}
	if r.BypassGovernance {
		if e := c.need(storage.ObjectLock, "WithGovernanceBypass"); e != nil {
			return e
		}
	}
	if e := c.condition(&r.Condition, storage.ConditionalRemove); e != nil {
		return e
	}
	native, e := c.natives(set.Natives)
	r.Native = native
	return e
}

// removeOne makes one Delete request.
func removeOne(ctx context.Context, o *operation, r *driver.DeleteRequest) *storage.Error {
	e := o.call(ctx, func(ctx context.Context) error { return o.core.driver.Delete(ctx, r) })
	if e != nil && e.Code == storage.Locked && r.Version != "" && !r.BypassGovernance {
		e.Unknown = false // the version is there, and a removed one does not come back
	}
	return removeFailure(e)
}

// removeFailure returns what the failure of a removal means: a missing object is a
// success, and a condition that failed after a lost response proves nothing.
func removeFailure(e *storage.Error) *storage.Error {
	switch {
	case e == nil || e.Code == storage.ObjectNotFound:
		return nil
	case e.Code == storage.PreconditionFailed && e.Unknown:
		e.Code = storage.OutcomeUnknown
		e.Hint = "a response was lost: this call may have removed the object, and another write may have followed"
	}
	return e
}

func (b *bucket) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	r := &removeOp{ctx: ctx, bucket: b, name: "RemoveAll"}
	return r.removeEach(removal.Map(keys, removal.OfKey))
}

func (b *bucket) RemoveVersions(ctx context.Context, versions iter.Seq[storage.VersionEntry]) (removed int, err error) {
	r := &removeOp{ctx: ctx, bucket: b, name: "RemoveVersions", ofVersions: true}
	return r.removeEach(removal.Map(versions, func(v storage.VersionEntry) removal.Removal { return removal.Removal{Key: v.Key, Version: v.Version} }))
}

// A removeOp is one call of RemoveAll or RemoveVersions.
type removeOp struct {
	ctx        context.Context
	bucket     *bucket
	name       string
	ofVersions bool
	singles    bool // the provider refused a batch
}

// removeEach removes in groups.
func (r *removeOp) removeEach(all iter.Seq[removal.Removal]) (removed int, err error) {
	size := r.bucket.core.desc.MaxBatch
	if size == 0 {
		size = removal.Together
	}
	removed, failures := parallel.Groups(all, size, removal.MaxFailures, func(group []removal.Removal) (errs []error, more bool) {
		if r.ctx.Err() != nil {
			e := asError(r.ctx, r.ctx.Err())
			e.Op, e.Provider, e.Bucket = r.name, r.bucket.core.desc.Provider, r.bucket.core.desc.Bucket
			return []error{e}, false
		}
		return r.removeGroup(group), true
	})
	return removed, errors.Join(failures...)
}

// removeGroup removes a group as one operation: hooks see all its keys and refuse it
// whole.
func (r *removeOp) removeGroup(group []removal.Removal) []error {
	o := &operation{}
	errs := make([]error, len(group))
	refused := o.prepare(r.bucket, scope.Remove, r.name, "")
	if refused == nil && r.ofVersions {
		refused = r.bucket.core.need(storage.Versioning, r.name)
	}
	o.key = ""
	requests := make([]driver.DeleteRequest, 0, len(group))
	slots := make([]int, 0, len(group)) // the index in errs of each request
	for i, one := range group {
		request := driver.DeleteRequest{Key: r.bucket.scope.Key(one.Key), Version: one.Version}
		o.keys = append(o.keys, request.Key)
		if bad := r.check(&request); bad != nil && refused == nil {
			errs[i] = removalError(o, bad, &request)
			continue
		}
		requests, slots = append(requests, request), append(slots, i)
	}
	if len(requests) == 0 {
		_ = o.end(nil)
		return errs
	}
	ctx := r.ctx
	if refused == nil {
		ctx, refused = o.begin(ctx)
	}
	var failed []*storage.Error
	if refused == nil {
		failed = r.send(ctx, o, requests)
	} else {
		failed = slices.Repeat([]*storage.Error{refused}, len(requests))
	}
	var last *storage.Error
	for j, e := range failed {
		if e != nil {
			errs[slots[j]], last = removalError(o, e, &requests[j]), e
		}
	}
	_ = o.end(last)
	return errs
}

// check returns why a removal cannot be requested.
func (r *removeOp) check(request *driver.DeleteRequest) *storage.Error {
	e := r.bucket.core.checkReadKey(request.Key)
	if e == nil && r.ofVersions && request.Version == "" {
		e = invalid("version", "must not be empty") // it would be the object
	}
	return e
}

// removalError is keyError with a version.
func removalError(o *operation, e *storage.Error, r *driver.DeleteRequest) *storage.Error {
	one := keyError(o, e, r.Key)
	one.Version = r.Version
	return one
}

// send removes by batch if the provider has batches and does not refuse them, else one
// by one.
func (r *removeOp) send(ctx context.Context, o *operation, requests []driver.DeleteRequest) []*storage.Error {
	failed := make([]*storage.Error, len(requests))
	pending := make([]int, len(requests))
	for i := range pending {
		pending[i] = i
	}
	if o.core.desc.MaxBatch > 0 && !r.singles {
		if removeBatch(ctx, o, requests, pending, failed) {
			return failed
		}
		r.singles = true
	}
	removeSingles(ctx, o, requests, pending, failed)
	return failed
}

// removeSingles removes the pending requests one by one. failed has what became of them in a
// batch, which may have taken effect.
func removeSingles(ctx context.Context, o *operation, requests []driver.DeleteRequest, pending []int, failed []*storage.Error) {
	parallel.All(len(pending), removal.AtOnce, func(i int) error {
		index := pending[i]
		e := removeOne(ctx, o, &requests[index])
		after(e, failed[index])
		failed[index] = removeFailure(e)
		return nil
	})
}

// removeBatch removes one batch. Requests that failed for a reason that passes are sent
// again in a smaller one. It returns false if the provider refuses batches; failed then has only
// what may have taken effect.
func removeBatch(ctx context.Context, o *operation, requests []driver.DeleteRequest, pending []int, failed []*storage.Error) (supported bool) {
	var tried backoff.Tries
	for first := true; ; first = false {
		if o.startAttempt(ctx) != nil {
			waitErrors(ctx, o, failed, pending)
			return true
		}
		errs := sendBatch(ctx, o, requests, pending)
		refused := allUnsupported(errs)
		again, why := sortBatch(ctx, errs, pending, failed)
		if refused && first {
			return false
		}
		if refused {
			removeSingles(ctx, o, requests, pending, failed)
			return true
		}
		o.endAttempt(why)
		if len(again) == 0 || ctx.Err() != nil {
			return true
		}
		delay, another := o.core.retry.allow(&tried, why)
		if !another {
			return true
		}
		if ctxtime.Sleep(ctx, delay) != nil {
			waitErrors(ctx, o, failed, again)
			return true
		}
		pending = again
	}
}

// sendBatch removes the pending requests, and returns an error or nil for each.
func sendBatch(ctx context.Context, o *operation, requests []driver.DeleteRequest, pending []int) []error {
	batch := make([]driver.DeleteRequest, len(pending))
	for i, index := range pending {
		batch[i] = requests[index]
	}
	errs := o.core.driver.DeleteBatch(ctx, batch)
	for len(errs) < len(pending) {
		errs = append(errs, storage.Internal)
	}
	return errs
}

// sortBatch notes what became of the pending requests. It returns those that may be sent
// again, and why: RateLimited before any other reason.
func sortBatch(ctx context.Context, errs []error, pending []int, failed []*storage.Error) (again []int, why *storage.Error) {
	for i, index := range pending {
		if errs[i] == nil {
			failed[index] = nil
			continue
		}
		e := asError(ctx, errs[i])
		if e.Retryable {
			again = append(again, index)
			if why == nil || e.Code == storage.RateLimited && why.Code != storage.RateLimited {
				why = e
			}
		}
		after(e, failed[index])
		failed[index] = removeFailure(e)
	}
	return again, why
}

// waitErrors is waitError for the pending requests of a batch.
func waitErrors(ctx context.Context, o *operation, failed []*storage.Error, pending []int) {
	for _, index := range pending {
		failed[index] = o.waitError(ctx, failed[index], failed[index] != nil && failed[index].Unknown)
	}
}

func allUnsupported(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool { return err == nil || storage.CodeOf(err) != storage.Unsupported })
}

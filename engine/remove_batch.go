package engine

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/removal"
	"github.com/omnibucket/storage/internal/running"
)

// Remove deletes the object.
func (b bucket) Remove(ctx context.Context, key string, opts *storage.RemoveOptions) error {
	call := &struct { // one allocation
		op  operation
		req driver.DeleteRequest
	}{}
	o := &call.op
	r := &call.req
	e := o.prepareWrite(b.engine, "Remove", key)
	if e == nil {
		*r = driver.DeleteRequest{
			Version:          opts.Version,
			Condition:        opts.Condition,
			BypassGovernance: opts.BypassGovernance,
		}
		e = b.engine.resolveRemove(o.key, r, opts.Native)
	}
	return o.do(ctx, e, func(ctx context.Context) *storage.Error { return removeOne(ctx, o, r) })
}

// resolveRemove checks a removal, and completes its request.
func (c *engine) resolveRemove(key string, r *driver.DeleteRequest, native []storage.NativeValue) *storage.Error {
	var unlocked, foreign *storage.Error
	r.Key = key
	if r.BypassGovernance {
		unlocked = c.need(storage.ObjectLock, "WithGovernanceBypass")
	}
	r.Native, foreign = c.natives(native)
	condition := c.condition(&r.Condition, storage.ConditionalRemove)
	return cmp.Or(c.checkReadKey(key), c.needVersion(r.Version), unlocked, condition, foreign)
}

// removeOne makes one Delete request.
func removeOne(ctx context.Context, o *operation, r *driver.DeleteRequest) *storage.Error {
	e := o.call(ctx, func(ctx context.Context) error { return o.engine.driver.Delete(ctx, r) })
	if e != nil && e.Code == storage.Locked && r.Version != "" && !r.BypassGovernance {
		// No attempt has removed the version: the store still has it, locked.
		e.Unknown = false
	}
	return removeFailure(e)
}

// removeFailure turns an error of a removal into the error for the caller. A missing object counts
// as removed. If a response was lost and a retry fails with PreconditionFailed, the first attempt
// may have removed the object. The error is then OutcomeUnknown.
func removeFailure(e *storage.Error) *storage.Error {
	if e == nil || e.Code == storage.ObjectNotFound {
		return nil
	}
	if e.Code == storage.PreconditionFailed && e.Unknown {
		e.Code = storage.OutcomeUnknown
		e.Hint = "a response was lost: this call may have removed the object, and another write may have followed"
	}
	return e
}

func (b bucket) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	r := &removeOp{ctx: ctx, engine: b.engine, name: "RemoveAll"}
	return r.removeEach(removal.Map(keys, func(key string) storage.VersionEntry {
		return storage.VersionEntry{ListEntry: storage.ListEntry{Key: key}}
	}))
}

func (b bucket) RemoveVersions(ctx context.Context, versions iter.Seq[storage.VersionEntry]) (removed int, err error) {
	r := &removeOp{ctx: ctx, engine: b.engine, name: "RemoveVersions", ofVersions: true}
	return r.removeEach(versions)
}

// A removeOp holds the state of one call of RemoveAll or RemoveVersions.
type removeOp struct {
	ctx        context.Context
	engine     *engine
	name       string
	ofVersions bool
	singles    bool // whether the provider has refused a batch, so that objects are removed one by one
}

// removeEach removes all entries, in groups. It returns how many were removed, and the joined
// errors.
func (r *removeOp) removeEach(all iter.Seq[storage.VersionEntry]) (removed int, err error) {
	size := cmp.Or(r.engine.desc.MaxBatch, removal.Together)
	removed, failures := running.EachGroup(
		all, size, removal.MaxFailures,
		func(group []storage.VersionEntry) (errs []error, more bool) {
			if r.ctx.Err() != nil {
				e := asError(r.ctx, r.ctx.Err())
				e.Op = r.name
				e.Provider = r.engine.desc.Provider
				e.Bucket = r.engine.desc.Bucket
				return []error{e}, false
			}
			return r.removeGroup(group), true
		},
	)
	return removed, errors.Join(failures...)
}

// A groupRemoval is one object or version of a group, and the result of its removal.
type groupRemoval struct {
	request driver.DeleteRequest
	err     *storage.Error
}

// removeGroup removes a group as one operation. Hooks see all keys of the group, and can only
// refuse the whole group. The result has an error or nil for each entry.
func (r *removeOp) removeGroup(group []storage.VersionEntry) []error {
	o := &operation{}
	refusal := o.prepareWrite(r.engine, r.name, "")
	if refusal == nil && r.ofVersions {
		refusal = r.engine.need(storage.Versioning, r.name)
	}
	o.key = ""

	removals := make([]groupRemoval, len(group))
	pending := make([]*groupRemoval, 0, len(group))
	for i, one := range group {
		removals[i].request = driver.DeleteRequest{Key: one.Key, Version: one.Version}
		o.keys = append(o.keys, removals[i].request.Key)
		if refusal == nil {
			removals[i].err = r.check(&removals[i].request)
		}
		if removals[i].err == nil {
			pending = append(pending, &removals[i])
		}
	}

	if len(pending) == 0 {
		refusal = removals[0].err
	}
	ctx, refusal := o.begin(r.ctx, refusal)
	if refusal == nil {
		r.send(ctx, o, pending)
	}
	for _, one := range pending {
		one.err = cmp.Or(refusal, one.err)
	}

	var last *storage.Error
	errs := make([]error, len(group))
	for i := range removals {
		if e := removals[i].err; e != nil {
			last = e
			clone := keyError(o, e, removals[i].request.Key)
			clone.Version = removals[i].request.Version
			errs[i] = clone
		}
	}
	_ = o.end(last)
	return errs
}

// check returns an error if the removal must not be requested, or nil.
func (r *removeOp) check(request *driver.DeleteRequest) *storage.Error {
	e := r.engine.checkReadKey(request.Key)
	if e == nil && r.ofVersions && request.Version == "" {
		// With an empty version, the request would remove the object.
		e = invalid("version", "must not be empty")
	}
	return e
}

// send removes the pending entries by batch. If the provider has no batches or refuses them, it
// removes the entries one by one.
func (r *removeOp) send(ctx context.Context, o *operation, pending []*groupRemoval) {
	if o.engine.desc.MaxBatch > 0 && !r.singles {
		pending = removeBatch(ctx, o, pending)
		if len(pending) == 0 {
			return
		}
		r.singles = true
	}
	running.All(len(pending), removal.AtOnce, func(i int) error {
		pending[i].end(removeOne(ctx, o, &pending[i].request))
		return nil
	})
}

// end records the result of a request. If an earlier request for the same entry may have taken
// effect, the error says so.
func (g *groupRemoval) end(e *storage.Error) {
	inheritUnknown(e, g.err)
	g.err = removeFailure(e)
}

// removeBatch removes the pending entries in one batch. Entries that failed with a temporary error
// are sent again, in a smaller batch. If the provider refuses batches, removeBatch returns the
// entries that were not removed yet.
func removeBatch(ctx context.Context, o *operation, pending []*groupRemoval) (singly []*groupRemoval) {
	var tries running.Tries
	for {
		if o.startAttempt(ctx) != nil {
			waitErrors(ctx, o, pending)
			return nil
		}
		errs := sendBatch(ctx, o, pending)
		retries, why := sortBatch(ctx, errs, pending)
		if allUnsupported(errs) {
			return pending
		}
		o.endAttempt(why)
		if len(retries) == 0 || ctx.Err() != nil {
			return nil
		}
		delay, another := o.engine.retry.allow(&tries, why)
		if !another {
			return nil
		}
		if running.Sleep(ctx, delay) != nil {
			waitErrors(ctx, o, retries)
			return nil
		}
		pending = retries
	}
}

// sendBatch requests the removal of the pending entries. It returns an error or nil for each.
func sendBatch(ctx context.Context, o *operation, pending []*groupRemoval) []error {
	batch := make([]driver.DeleteRequest, len(pending))
	for i, one := range pending {
		batch[i] = one.request
	}
	errs := o.engine.driver.DeleteBatch(ctx, batch)
	for len(errs) < len(pending) {
		errs = append(errs, storage.Internal)
	}
	return errs
}

// sortBatch records the result of each pending removal. It returns the removals that may be
// retried, and the error that determines the time of the retry. That error is a RateLimited error
// if there is one, and otherwise the first retryable error.
func sortBatch(ctx context.Context, errs []error, pending []*groupRemoval) (again []*groupRemoval, why *storage.Error) {
	for i, one := range pending {
		if errs[i] == nil {
			one.err = nil
			continue
		}
		e := asError(ctx, errs[i])
		if e.Retryable {
			again = append(again, one)
			if why == nil || e.Code == storage.RateLimited && why.Code != storage.RateLimited {
				why = e
			}
		}
		one.end(e)
	}
	return again, why
}

// waitErrors sets the error of each pending removal after ctx has ended during a wait.
func waitErrors(ctx context.Context, o *operation, pending []*groupRemoval) {
	for _, one := range pending {
		one.err = o.waitError(ctx, one.err, one.err != nil && one.err.Unknown)
	}
}

func allUnsupported(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool {
		return err == nil || storage.CodeOf(err) != storage.Unsupported
	})
}

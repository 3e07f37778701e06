package engine

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/removal"
	"github.com/omnibucket/storage/internal/running"
)

// Remove removes the object, or the version that the options name.
func (b bucket) Remove(ctx context.Context, key string, opts *storage.RemoveOptions) error {
	// The operation and its request are one allocation.
	call := &struct {
		op  operation
		req driver.DeleteRequest
	}{}
	o := &call.op
	req := &call.req

	checkErr := o.prepareWrite(b.engine, "Remove", key)
	if checkErr == nil {
		*req = driver.DeleteRequest{
			Version:          opts.Version,
			Condition:        opts.Condition,
			BypassGovernance: opts.BypassGovernance,
		}
		checkErr = b.engine.resolveRemove(o.key, req, opts.Native)
	}
	return o.do(ctx, checkErr, func(ctx context.Context) *storage.Error {
		return removeOne(ctx, o, req)
	})
}

// resolveRemove checks the request of a removal, and completes it with the key and the native
// options.
func (e *engine) resolveRemove(key string, req *driver.DeleteRequest, native []storage.NativeValue) *storage.Error {
	if err := e.checkReadKey(key); err != nil {
		return err
	}
	if err := e.needVersion(req.Version); err != nil {
		return err
	}
	if req.BypassGovernance {
		if err := e.need(storage.ObjectLock, "WithGovernanceBypass"); err != nil {
			return err
		}
	}
	if err := e.checkCondition(&req.Condition, storage.ConditionalRemove); err != nil {
		return err
	}

	values, err := e.nativeValues(native)
	if err != nil {
		return err
	}
	req.Key = key
	req.Native = values
	return nil
}

// removeOne removes one object or version, with retries.
func removeOne(ctx context.Context, o *operation, req *driver.DeleteRequest) *storage.Error {
	err := o.call(ctx, func(ctx context.Context) error {
		return o.engine.driver.Delete(ctx, req)
	})
	keepsLocked := req.Version != "" && !req.BypassGovernance // whether a lock prevents the removal
	if err != nil && err.Code == storage.Locked && keepsLocked {
		// No attempt has removed the version, because the store still has it, locked.
		err.Unknown = false
	}
	return removeFailure(err)
}

// removeFailure returns the error of a removal for the caller, or nil for a missing object, which
// counts as removed.
func removeFailure(err *storage.Error) *storage.Error {
	if err == nil || err.Code == storage.ObjectNotFound {
		return nil
	}
	if err.Code == storage.PreconditionFailed && err.Unknown {
		// A response was lost, and a retry failed. The first attempt may have removed the object.
		err.Code = storage.OutcomeUnknown
		err.Hint = "a response was lost: this call may have removed the object, and another write may have followed"
	}
	return err
}

// RemoveAll removes the objects with the keys. A missing object counts as removed.
func (b bucket) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	r := &removeOp{
		ctx:    ctx,
		engine: b.engine,
		name:   "RemoveAll",
	}
	return r.removeEach(removal.Map(keys, func(key string) storage.VersionEntry {
		return storage.VersionEntry{ListEntry: storage.ListEntry{Key: key}}
	}))
}

// RemoveVersions removes the versions for good. A missing version counts as removed.
func (b bucket) RemoveVersions(ctx context.Context, versions iter.Seq[storage.VersionEntry]) (removed int, err error) {
	r := &removeOp{
		ctx:          ctx,
		engine:       b.engine,
		name:         "RemoveVersions",
		needsVersion: true,
	}
	return r.removeEach(versions)
}

// A removeOp holds the state of one call of RemoveAll or RemoveVersions.
type removeOp struct {
	ctx          context.Context // the context of the call; each group begins its operation with it
	engine       *engine
	name         string
	needsVersion bool // whether each entry must name a version
	noBatches    bool // whether the provider has refused a batch, so that objects are removed one by one
}

// removeEach removes all entries, in groups. It returns how many were removed, and the joined
// errors.
func (r *removeOp) removeEach(entries iter.Seq[storage.VersionEntry]) (removed int, err error) {
	size := cmp.Or(r.engine.desc.MaxBatch, removal.Together)
	removed, failures := running.EachGroup(entries, size, removal.MaxFailures, r.removeNext)
	return removed, errors.Join(failures...)
}

// removeNext removes one group, or, if the context of the call has ended, returns that error, and
// false for hasMore, so that no other group follows.
func (r *removeOp) removeNext(group []storage.VersionEntry) (errs []error, hasMore bool) {
	if err := r.ctx.Err(); err != nil {
		failure := asError(r.ctx, err)
		failure.Op = r.name
		failure.Provider = r.engine.desc.Provider
		failure.Bucket = r.engine.desc.Bucket
		return []error{failure}, false
	}
	return r.removeGroup(group), true
}

// A groupRemoval is one object or version of a group, and the result of its removal.
type groupRemoval struct {
	request driver.DeleteRequest
	err     *storage.Error
}

// removeGroup removes a group of entries as one operation. Hooks see all its keys, and can only refuse
// them together. It returns an error or nil for each entry.
func (r *removeOp) removeGroup(group []storage.VersionEntry) []error {
	o := &operation{}
	checkErr := r.prepare(o)
	removals := newRemovals(group)
	for i := range removals {
		o.keys = append(o.keys, removals[i].request.Key)
	}

	// If the whole group is refused already, its entries need no check.
	if checkErr == nil {
		for i := range removals {
			removals[i].err = r.check(&removals[i].request)
		}
	}
	pending := withoutErrors(removals)
	if len(pending) == 0 {
		// Each entry has an error. Hooks see that of the first as the error of the operation.
		checkErr = removals[0].err
	}

	ctx, err := o.begin(r.ctx, checkErr)
	if err != nil {
		// A check or a hook has refused the operation, so no entry is sent.
		for _, entry := range pending {
			entry.err = err
		}
		return endRemovals(o, removals)
	}
	r.send(ctx, o, pending)
	return endRemovals(o, removals)
}

// withoutErrors returns the removals that have no error so far.
func withoutErrors(removals []groupRemoval) []*groupRemoval {
	pending := make([]*groupRemoval, 0, len(removals))
	for i := range removals {
		if removals[i].err == nil {
			pending = append(pending, &removals[i])
		}
	}
	return pending
}

// prepare prepares the operation that removes a group, and fails if the call removes versions and the
// bucket has none.
func (r *removeOp) prepare(o *operation) *storage.Error {
	if err := o.prepareWrite(r.engine, r.name, ""); err != nil {
		return err
	}
	if r.needsVersion {
		return r.engine.need(storage.Versioning, r.name)
	}
	return nil
}

// newRemovals returns the removals of a group, in the order of its entries.
func newRemovals(group []storage.VersionEntry) []groupRemoval {
	removals := make([]groupRemoval, len(group))
	for i := range group {
		removals[i].request = driver.DeleteRequest{
			Key:     group[i].Key,
			Version: group[i].Version,
		}
	}
	return removals
}

// endRemovals ends the operation, and returns the errors of the removals, each with its key and version.
// The last of these errors is the outcome of the operation.
func endRemovals(o *operation, removals []groupRemoval) []error {
	var last *storage.Error
	errs := make([]error, len(removals))
	for i := range removals {
		removal := &removals[i]
		if removal.err == nil {
			continue
		}
		last = removal.err
		located := keyError(o, removal.err, removal.request.Key)
		located.Version = removal.request.Version
		errs[i] = located
	}

	// The caller gets the error of each removal in place of the one that end returns.
	_ = o.end(last)
	return errs
}

// check returns an error if the removal must not be requested, or nil.
func (r *removeOp) check(req *driver.DeleteRequest) *storage.Error {
	if err := r.engine.checkReadKey(req.Key); err != nil {
		return err
	}
	if r.needsVersion && req.Version == "" {
		// With an empty version, the request would remove the object.
		return invalid("version", "must not be empty")
	}
	return nil
}

// send removes the pending entries by batch, or one by one if the provider has no batches or refuses
// them.
func (r *removeOp) send(ctx context.Context, o *operation, pending []*groupRemoval) {
	if o.engine.desc.MaxBatch > 0 && !r.noBatches {
		pending = removeBatch(ctx, o, pending)
		if len(pending) == 0 {
			return
		}
		// The provider has refused the batch, so do not try it with the next group.
		r.noBatches = true
	}

	// Each removal keeps its own error.
	running.All(len(pending), removal.AtOnce, func(i int) error {
		pending[i].end(removeOne(ctx, o, &pending[i].request))
		return nil
	})
}

// end records the result of a request. If an earlier request for the same entry may have taken
// effect, the error says so.
func (g *groupRemoval) end(err *storage.Error) {
	inheritUnknown(err, g.err)
	g.err = removeFailure(err)
}

// removeBatch removes the pending entries in one batch. It sends entries that failed with a temporary
// error again, in a smaller batch. If the provider refuses batches, removeBatch returns the entries that
// are left, which the caller must remove one by one. The other results are in the entries.
func removeBatch(ctx context.Context, o *operation, pending []*groupRemoval) (rest []*groupRemoval) {
	var tries running.Tries
	for {
		if o.startAttempt(ctx) != nil {
			// While the store throttles, the attempt had to wait, and ctx has ended meanwhile.
			setWaitErrors(ctx, o, pending)
			return nil
		}

		// Record the results even if the provider refuses the batch, because an error may say that it is
		// unknown what the batch did.
		errs := sendBatch(ctx, o, pending)
		retries, retryErr := recordResults(ctx, errs, pending)
		if allUnsupported(errs) {
			return pending
		}
		o.endAttempt(retryErr)
		if len(retries) == 0 || ctx.Err() != nil {
			return nil
		}

		// Wait, and then send only the temporary failures again.
		delay, mayRetry := o.engine.retry.allow(&tries, retryErr)
		if !mayRetry {
			return nil
		}
		if running.Sleep(ctx, delay) != nil {
			setWaitErrors(ctx, o, retries)
			return nil
		}
		pending = retries
	}
}

// sendBatch removes the pending entries by one request, and returns an error or nil for each.
func sendBatch(ctx context.Context, o *operation, pending []*groupRemoval) []error {
	batch := make([]driver.DeleteRequest, len(pending))
	for i, entry := range pending {
		batch[i] = entry.request
	}
	errs := o.engine.driver.DeleteBatch(ctx, batch)

	// A driver must return a result for each request. A missing result is no success.
	for len(errs) < len(pending) {
		errs = append(errs, storage.Internal)
	}
	return errs
}

// recordResults records the result of each pending removal. It returns the removals that may be
// retried, and the error that determines when.
func recordResults(
	ctx context.Context, errs []error, pending []*groupRemoval,
) (retries []*groupRemoval, retryErr *storage.Error) {
	for i, entry := range pending {
		if errs[i] == nil {
			entry.err = nil // that of an earlier batch
			continue
		}
		err := asError(ctx, errs[i])
		if err.Retryable {
			retries = append(retries, entry)
			retryErr = slowerRetry(retryErr, err)
		}
		// end may change the Code of err, so it comes last.
		entry.end(err)
	}
	return retries, retryErr
}

// slowerRetry returns the one of two errors that determines when to retry: a RateLimited error, or
// else the first one. first may be nil.
func slowerRetry(first, second *storage.Error) *storage.Error {
	if first == nil {
		return second
	}
	if first.Code != storage.RateLimited && second.Code == storage.RateLimited {
		return second
	}
	return first
}

// setWaitErrors sets the error of each pending removal after ctx has ended during a wait.
func setWaitErrors(ctx context.Context, o *operation, pending []*groupRemoval) {
	for _, entry := range pending {
		isUnknown := entry.err != nil && entry.err.Unknown
		entry.err = o.waitError(ctx, entry.err, isUnknown)
	}
}

// allUnsupported reports whether each request of a batch failed with Unsupported, which means that
// the provider has no batches.
func allUnsupported(errs []error) bool {
	for _, err := range errs {
		if storage.CodeOf(err) != storage.Unsupported {
			return false
		}
	}
	return true
}

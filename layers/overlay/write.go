package overlay

import (
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// newChecks reports whether the new store can check a condition by itself.
func (s *stores) newChecks(c storage.Condition) bool { return !c.Absent && !s.old.Has(c.Revision) }

// writeCondition returns the condition that the new store must check in place of c, which is a condition on both stores
// together. If c requires an object of the old store, the result requires what the new store has in its place: a copy,
// or a marker, which is a small object. If c is not met, writeCondition fails with PreconditionFailed.
func (s *stores) writeCondition(ctx context.Context, key string, c storage.Condition) (storage.Condition, error) {
	if s.newChecks(c) {
		return c, nil
	}
	state, err := s.lookup(ctx, key)
	if err != nil {
		return storage.Condition{}, err
	}

	// The required revision of the old store may already be in the new one, as a copy.
	if copied, isCopy := s.conditionOfCopy(state, c); isCopy {
		return copied, nil
	}

	// Any other object in the new store contradicts the condition.
	if state.hasObject() {
		return storage.Condition{}, storage.PreconditionFailed
	}
	if oldRevision, isOld := s.old.Cut(c.Revision); isOld {
		return s.oldRevisionCondition(ctx, key, oldRevision, state)
	}
	// The condition is that no store has the object.
	return s.createCondition(ctx, key, state)
}

// createCondition returns the condition of a write that must create the object. state is that of the key in the new
// store, which has nothing or a marker. The write must replace just that.
func (s *stores) createCondition(ctx context.Context, key string, state keyState) (storage.Condition, error) {
	// The old store may still have the object, but that is being removed.
	if state.marker == removed {
		return state.condition(), nil
	}

	attrs, err := s.oldAttrs(ctx, key)
	if err != nil {
		return storage.Condition{}, err
	}
	if attrs != nil {
		return storage.Condition{}, storage.PreconditionFailed
	}
	return state.condition(), nil
}

// oldRevisionCondition returns the condition of a write that must replace a revision of the old store. state is that of
// the key in the new store, which has nothing or a marker.
func (s *stores) oldRevisionCondition(
	ctx context.Context, key, revision string, state keyState,
) (storage.Condition, error) {
	if state.marker == removed {
		return storage.Condition{}, storage.PreconditionFailed
	}
	if err := s.checkOldRevision(ctx, key, revision); err != nil {
		return storage.Condition{}, err
	}

	// If the new store has a marker, a condition on the marker protects the write.
	if state.attrs != nil {
		return state.condition(), nil
	}
	// Without a marker, another process could copy the object to the new store and then remove it. A
	// condition that the new store has nothing would not notice that, so write a marker first.
	return s.markRevision(ctx, key, revision)
}

// checkOldRevision fails with PreconditionFailed if the old store does not have this revision of an object.
func (s *stores) checkOldRevision(ctx context.Context, key, revision string) error {
	attrs, err := s.oldAttrs(ctx, key)
	if err != nil {
		return err
	}
	if attrs == nil || attrs.Revision != revision {
		return storage.PreconditionFailed
	}
	return nil
}

// markRevision puts a marker into the new store, which has nothing under the key, and returns the
// condition on this marker. If the old store no longer has the revision, it removes the marker and
// fails with PreconditionFailed.
func (s *stores) markRevision(ctx context.Context, key, revision string) (storage.Condition, error) {
	state, err := s.putMarker(ctx, key, copying, storage.Condition{Absent: true})
	if errors.Is(err, errAgain) {
		return storage.Condition{}, errBusy
	}
	if err != nil {
		return storage.Condition{}, err
	}

	if err := s.checkOldRevision(ctx, key, revision); err != nil {
		return storage.Condition{}, errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, state))
	}
	return state.condition(), nil
}

// conditionOfCopy replaces a revision of the old store in c by that of its copy, if state is that copy.
// Otherwise it returns c unchanged.
func (s *stores) conditionOfCopy(state keyState, c storage.Condition) (result storage.Condition, isCopy bool) {
	revision, isOld := s.old.Cut(c.Revision)
	if !isOld || !state.hasObject() {
		return c, false
	}
	if !metadata.HoldsWriteID(state.attrs.Metadata, otherstore.CopyID(revision)) {
		return c, false
	}
	return state.condition(), true
}

// write calls do, which writes an object to the new store, after it has set the condition of the request
// to the one that the new store must check. If a marker that appears or disappears meanwhile may be the
// reason why the store refuses the write, it returns errBusy, and the engine writes again.
func write[T any](
	ctx context.Context, s *stores, key string, condition *storage.Condition, do func() (T, error),
) (result T, err error) {
	if err := s.checkKey(key); err != nil {
		return result, err
	}

	callerCondition := *condition
	newCondition, err := s.writeCondition(ctx, key, callerCondition)
	if err != nil {
		return result, err
	}

	// Set the condition in the caller's request. A copy of the request would lack the checksum,
	// because the engine adds the checksum to the caller's request when the body ends.
	*condition = newCondition
	defer func() {
		*condition = callerCondition
	}()

	result, err = do()
	if !errors.Is(err, storage.PreconditionFailed) {
		return result, err
	}
	if s.newChecks(callerCondition) {
		// The new store has refused the caller's own condition.
		return result, err
	}
	if _, err := s.writeCondition(ctx, key, callerCondition); err != nil {
		// The caller's condition no longer holds.
		return result, err
	}
	// A marker was the reason of the refusal.
	return result, errBusy
}

// errBusy says that another process has changed the key in the new store meanwhile. The call can be
// repeated.
var errBusy = &storage.Error{
	Code:      storage.Unavailable,
	Retryable: true,
	Err:       errors.New("the object is being moved or written by others"),
}

// Put stores the object in the new store, and a test object in both stores.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if evidence.Asks(ctx, r.Key) {
		return d.putTest(ctx, r)
	}
	return d.putNew(ctx, r)
}

// putNew stores an object in the new store.
func (d *objectDriver) putNew(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	put := func() (*storage.Attrs, error) { return d.Driver.Put(ctx, r) }
	return write(ctx, d.stores, r.Key, &r.Condition, put)
}

// putTest stores a test object, with which a job finds out whether two buckets have the same store. It goes to both
// stores of the overlay, even with NewOnly.
func (d *objectDriver) putTest(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	// With KeepOld, nothing may be written to the old store. Fail before the new store has the object.
	if d.stores.config.KeepOld {
		return nil, &storage.Error{Code: storage.Unsupported, Err: errors.New("the old store is kept as it is")}
	}
	attrs, err := d.putNew(ctx, r)
	if err != nil {
		return attrs, err
	}

	// If the old store refuses the object, neither store may have it.
	if _, err := d.stores.oldBucket.Upload(ctx, r.Key, strings.NewReader(evidence.Text)); err != nil {
		removal := &driver.DeleteRequest{Key: r.Key, Version: attrs.Version}
		return nil, errors.Join(err, d.Driver.Delete(context.WithoutCancel(ctx), removal))
	}
	return attrs, nil
}

// removeTest removes a test object from the old store (see putTest). It sends no removal if the old
// store lacks the object, because the old store may refuse removals.
func (s *stores) removeTest(ctx context.Context, key string) error {
	// With KeepOld, putTest has stored nothing there.
	if s.config.KeepOld {
		return nil
	}
	attrs, err := s.attrsIn(ctx, s.oldBucket, key)
	if err != nil {
		return err
	}
	if attrs == nil {
		return nil
	}
	return s.oldBucket.Remove(ctx, key)
}

// BeginParts begins an upload in the new store.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	condition := &r.Condition
	if r.AnyOrder {
		// The condition of an open upload is checked when it is completed.
		condition = &storage.Condition{}
	}
	begin := func() (string, error) { return d.Driver.BeginParts(ctx, r) }
	return write(ctx, d.stores, r.Key, condition, begin)
}

// CompleteParts makes the object in the new store.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	complete := func() (*storage.Attrs, error) { return d.Driver.CompleteParts(ctx, r) }
	return write(ctx, d.stores, r.Put.Key, &r.Put.Condition, complete)
}

// removeAttempts limits how often a removal is tried while others write the object.
const removeAttempts = 5

// Delete removes the object from both stores. Until the old store's object is removed, an object or a
// marker in the new store hides it, so that no reader sees it afterwards.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	// Put has stored a test object in both stores.
	if evidence.Asks(ctx, r.Key) {
		if err := d.stores.removeTest(ctx, r.Key); err != nil {
			return err
		}
	}

	// Try again if another call changes one of the objects meanwhile.
	for range removeAttempts {
		err := d.stores.deleteOnce(ctx, r)
		if !errors.Is(err, errAgain) {
			return err
		}
	}
	return errBusy
}

// errAgain says that another writer has changed the key first, so that the caller must look again.
var errAgain = errors.New("look again")

// deleteOnce tries to remove an object once. It must read the old store before the new store.
// Meanwhile, another process may move the object from the old store to the new store. If deleteOnce
// read the new store first, it could miss the object in both stores.
func (s *stores) deleteOnce(ctx context.Context, r *driver.DeleteRequest) error {
	if err := s.checkKey(r.Key); err != nil {
		return err
	}
	attrs, err := s.attrsIn(ctx, s.oldBucket, r.Key)
	if err != nil {
		return err
	}
	state, err := s.lookup(ctx, r.Key)
	if err != nil {
		return err
	}

	isInOld := attrs != nil
	if state.hasObject() {
		return s.deleteBoth(ctx, r, state, isInOld)
	}
	if state.marker == removed {
		// A killed process has left the marker.
		return s.endRemoval(ctx, r.Key, state)
	}
	if isInOld {
		return s.deleteOld(ctx, r, state, attrs)
	}
	if state.marker != "" {
		// It is the marker of a copy whose original is gone.
		return s.endMarker(ctx, r.Key, state)
	}
	// Neither store has the object.
	return nil
}

// deleteOld removes an object with these attributes, which only the old store has. The new store may have the marker of
// a copy under the key. After errAgain, the caller must look again.
func (s *stores) deleteOld(ctx context.Context, r *driver.DeleteRequest, state keyState, attrs *storage.Attrs) error {
	if s.config.NewOnly {
		// No process reads the old store any more.
		return s.removeOld(ctx, r.Key)
	}
	if !s.meetsCondition(attrs, r.Condition) {
		return s.unmetError(ctx, r.Key)
	}
	if s.desc.Features&storage.ConditionalRemove == 0 {
		// A marker could not be removed safely. So copy the object, and let the next attempt remove the copy and the
		// original.
		const takeOver = true
		_, err := s.copyOld(ctx, r.Key, takeOver)
		if err != nil && !errors.Is(err, storage.ObjectNotFound) {
			return err
		}
		return errAgain
	}
	return s.removeHidden(ctx, r.Key, state)
}

// deleteBoth removes an object that the new store has. If isInOld is true, it removes the object of the old store
// first, so that readers do not see that one when the new one is gone.
func (s *stores) deleteBoth(ctx context.Context, r *driver.DeleteRequest, state keyState, isInOld bool) error {
	// If the condition names the revision of the original of a copy, it means the copy.
	condition, _ := s.conditionOfCopy(state, r.Condition)
	isConditional := r.Condition.Revision != ""
	if isConditional && condition.Revision != state.attrs.Revision {
		// Fail before anything is removed from the old store.
		return storage.PreconditionFailed
	}
	if isInOld {
		if err := s.removeOld(ctx, r.Key); err != nil {
			return err
		}
	}

	req := *r
	req.Condition = condition
	return s.driver.Delete(ctx, &req)
}

// meetsCondition reports whether an object of the old store meets the condition of a removal.
func (s *stores) meetsCondition(attrs *storage.Attrs, c storage.Condition) bool {
	if c.Revision == "" {
		return true
	}
	revision, isOld := s.old.Cut(c.Revision)
	return isOld && revision == attrs.Revision
}

// unmetError returns the error of a removal whose condition the old store's object did not meet. If the
// old store no longer has the object, another process has changed it, and the caller must look again.
func (s *stores) unmetError(ctx context.Context, key string) error {
	attrs, err := s.oldAttrs(ctx, key)
	if err != nil {
		return err
	}
	if attrs == nil {
		return errAgain
	}
	return storage.PreconditionFailed
}

// removeHidden removes an object that only the old store has, after it has written a marker, which
// stops copies in progress.
func (s *stores) removeHidden(ctx context.Context, key string, state keyState) error {
	state, err := s.putMarker(ctx, key, removed, state.condition())
	if err != nil {
		return err
	}
	return s.endRemoval(ctx, key, state)
}

// endRemoval removes the old store's object that a marker hides, and then the marker. If the old store
// refuses, it removes only the marker, and readers see the object again. After any other failure, the
// marker stays, and the next removal or [Finish] completes the removal.
func (s *stores) endRemoval(ctx context.Context, key string, state keyState) error {
	err := s.removeOld(ctx, key)
	if err == nil {
		// An error does not matter: the object is gone, so the marker hides nothing.
		_ = s.endMarker(ctx, key, state)
		return nil
	}
	if !isRefusal(err) {
		return outcomeUnknown(err)
	}
	if markerErr := s.endMarker(context.WithoutCancel(ctx), key, state); markerErr != nil {
		return outcomeUnknown(errors.Join(err, markerErr))
	}
	return err
}

// isRefusal reports whether an error means that a store has refused a removal, so that it has certainly
// removed nothing.
func isRefusal(err error) bool {
	switch storage.CodeOf(err) {
	case storage.PermissionDenied,
		storage.Unauthenticated,
		storage.Locked,
		storage.Unsupported,
		storage.InvalidArgument:
		return true
	}
	return false
}

// outcomeUnknown returns the error for a write that was only partly carried out.
func outcomeUnknown(err error) error {
	return &storage.Error{Code: storage.CodeOf(err), Unknown: true, Retryable: storage.IsTemporary(err), Err: err}
}

// copyOld copies an object from the old store to the new store, and returns the attributes of the
// copy. If the new store already has the object, copyOld returns nil as the attributes. If neither
// store has the object, or a marker says that it was removed, copyOld fails with ObjectNotFound. It
// then also removes the marker that a killed process has left.
//
// If another process is copying, writing or removing the object, copyOld fails with errAgain. If
// takeOver is true, another copy in progress is no failure. copyOld then replaces the marker of
// that copy, and copies the object itself.
func (s *stores) copyOld(ctx context.Context, key string, takeOver bool) (*storage.Attrs, error) {
	// The old store may be a mirror, whose second store may have an older object.
	ctx = driver.WithoutFailover(ctx)
	state, err := s.lookup(ctx, key)
	if err != nil {
		return nil, err
	}
	if state.hasObject() {
		return nil, nil
	}
	if state.marker == removed {
		// A marker of other stores says nothing about the old store.
		if !s.isForeign(state) {
			if err := s.endRemoval(ctx, key, state); err != nil {
				return nil, err
			}
		}
		return nil, storage.ObjectNotFound
	}

	// The new store has no object, so look in the old one.
	attrs, err := s.oldAttrs(ctx, key)
	if err != nil {
		return nil, err
	}
	if attrs == nil {
		hasMarker := state.attrs != nil
		if hasMarker {
			if err := s.endMarker(ctx, key, state); err != nil {
				return nil, err
			}
		}
		return nil, storage.ObjectNotFound
	}
	if state.marker == copying && !takeOver {
		return nil, errAgain
	}
	return s.copyRevision(ctx, key, state, attrs.Revision)
}

// copyRevision copies a revision of the old store to the new store, which has nothing or a marker under the key.
func (s *stores) copyRevision(
	ctx context.Context, key string, state keyState, revision string,
) (*storage.Attrs, error) {
	// Put a marker into the place of the copy. The object may have been removed until then: with KeepOld, the old
	// store still has it, so look for its tombstone.
	marker, err := s.putMarker(ctx, key, copying, state.condition())
	if err != nil {
		return nil, err
	}
	isGone, err := s.isRemoved(ctx, key)
	if err == nil && isGone {
		err = errAgain
	}
	if err != nil {
		return nil, errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, marker))
	}

	// Replace the marker by the copy.
	copied, err := s.replaceMarker(ctx, key, marker, revision)
	if err == nil {
		return copied, nil
	}
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// Another process has replaced the marker.
		return nil, errAgain
	}
	return nil, errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, marker))
}

// replaceMarker copies a revision from the old store to the new one, in place of a marker. It fails with
// PreconditionFailed if the new store no longer has the marker, and with errAgain if another caller has
// removed the object from the old store, or set its tags.
func (s *stores) replaceMarker(
	ctx context.Context, key string, marker keyState, revision string,
) (*storage.Attrs, error) {
	ctx = objectkey.AllowFolderMarker(driver.WithLayerMetadata(ctx))
	copied, err := storage.Copy(ctx, s.new, key, s.old.Bucket, key,
		otherstore.NamedCopy(revision), storage.IfRevision(s.old.Public(marker.attrs.Revision)))
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound, storage.Changed:
		return nil, errAgain
	}
	return copied, err
}

package overlay

import (
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// oldCondition returns the condition of a read as an option for the old store, or nil if there is none
// for it. It fails if no object of the old store can meet the condition.
func (s *stores) oldCondition(ctx context.Context, r *driver.GetRequest) (storage.ReadOption, error) {
	if r.Condition.Revision == "" || s.old.Has(r.Condition.Revision) {
		return s.old.Condition(r.Condition), nil
	}

	// The revision is one of the new store, so the old store's object cannot have it.
	attrs, err := s.oldAttrs(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	if attrs == nil {
		return nil, storage.ObjectNotFound
	}
	return nil, storage.PreconditionFailed
}

// A readResult is what a read has found.
type readResult struct {
	attrs *storage.Attrs
	body  io.ReadCloser     // only for Get
	tags  map[string]string // only for Tags
}

// Get reads from the new store, or from the old one if the new store does not have the object.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	getNew := func(req *driver.GetRequest) (readResult, error) {
		attrs, body, err := d.Driver.Get(ctx, req)
		return readResult{attrs: attrs, body: body}, err
	}
	getOld := func(condition storage.ReadOption) (readResult, error) { return d.stores.getOld(ctx, r, condition) }
	result, err := d.stores.read(ctx, r, getNew, getOld)
	return result.attrs, result.body, err
}

// getOld reads from the old store. With [Config.CopyOnRead], it copies an object that is read as a
// whole, and then returns ObjectNotFound, so that the caller reads the copy.
func (s *stores) getOld(ctx context.Context, r *driver.GetRequest, condition storage.ReadOption) (readResult, error) {
	isWhole := r.Offset == 0 && r.Length < 0 && r.Suffix == 0
	if s.config.CopyOnRead && isWhole && r.Condition.Revision == "" {
		// If the copy fails, or another process is making one, read from the old store.
		const takeOver = false
		_, err := s.copyOld(ctx, r.Key, takeOver)
		if err == nil {
			return readResult{}, storage.ObjectNotFound
		}
	}

	attrs, body, err := s.old.Get(ctx, r, condition)
	return readResult{attrs: attrs, body: body}, err
}

// Head returns the attributes of the object that Get would read.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	headNew := func(req *driver.GetRequest) (readResult, error) {
		attrs, err := d.Driver.Head(ctx, req)
		return readResult{attrs: attrs}, err
	}
	headOld := func(condition storage.ReadOption) (readResult, error) {
		attrs, err := d.stores.old.Head(ctx, r, condition)
		return readResult{attrs: attrs}, err
	}
	result, err := d.stores.read(ctx, r, headNew, headOld)
	return result.attrs, err
}

// read reads from the new store with getNew or, if that store does not decide, from the old store with
// getOld. If neither has the object, read looks in the new store again, because the object may have been
// copied there and then removed from the old store.
func (s *stores) read(
	ctx context.Context, r *driver.GetRequest, getNew func(*driver.GetRequest) (readResult, error),
	getOld func(storage.ReadOption) (readResult, error),
) (readResult, error) {
	if s.isTombstone(r.Key) {
		return readResult{}, storage.ObjectNotFound
	}

	result, err := s.readNew(ctx, r, getNew)
	if !errors.Is(err, errLookInOld) {
		return result, err
	}

	// The old store has the object, unless a tombstone in the new store says that it was removed.
	isHidden, err := s.isRemoved(ctx, r.Key)
	if err != nil {
		return readResult{}, err
	}
	if !isHidden {
		result, err = s.readOld(ctx, r, getOld)
		if err == nil || !isMissing(err) {
			return result, err
		}
	}

	// The object may have been copied to the new store after the first look there.
	result, err = s.readNew(ctx, r, getNew)
	if errors.Is(err, errLookInOld) {
		return readResult{}, storage.ObjectNotFound
	}
	return result, err
}

// readOld reads from the old store, with the condition of r for that store.
func (s *stores) readOld(
	ctx context.Context, r *driver.GetRequest, get func(storage.ReadOption) (readResult, error),
) (readResult, error) {
	condition, err := s.oldCondition(ctx, r)
	if err != nil {
		return readResult{}, err
	}
	return get(condition)
}

// errLookInOld says that the new store has neither the object nor a marker that hides it in the old
// store.
var errLookInOld = errors.New("look in the old store")

// readNew reads an object from the new store, and fails with errLookInOld if the old store must decide. If the
// condition names a revision of the old store, readNew reads only a copy of that revision.
func (s *stores) readNew(
	ctx context.Context, r *driver.GetRequest, get func(*driver.GetRequest) (readResult, error),
) (readResult, error) {
	if s.old.Has(r.Condition.Revision) {
		return s.readCopy(ctx, r, get)
	}

	// If the store refuses the range or the condition, the refusal may be about a marker, which an object has
	// replaced since. So only a second refusal is sure to be about the object.
	req := s.old.ForOwn(r)
	result, isRefused, err := s.readNewOnce(ctx, req, get)
	if isRefused {
		result, _, err = s.readNewOnce(ctx, req, get)
	}
	return result, err
}

// readNewOnce reads an object from the new store with get. isRefused is true if the store has refused the
// range or the condition, and has an object now. The refusal may still have been about a marker, a small
// object that was there before. If the new store has nothing, readNewOnce fails with errLookInOld.
func (s *stores) readNewOnce(
	ctx context.Context, r *driver.GetRequest, get func(*driver.GetRequest) (readResult, error),
) (result readResult, isRefused bool, err error) {
	result, err = get(r)
	if err == nil {
		result, err = checkNoMarker(r.Key, result)
		return result, false, err
	}
	if errors.Is(err, storage.ObjectNotFound) {
		return readResult{}, false, errLookInOld
	}
	if !errors.Is(err, storage.RangeNotSatisfiable) && !errors.Is(err, storage.PreconditionFailed) {
		return readResult{}, false, err
	}

	// The store has refused the range or the condition. See whether there is only a marker.
	state, lookupErr := s.lookup(ctx, r.Key)
	if lookupErr != nil {
		return readResult{}, false, lookupErr
	}
	if !state.hasObject() {
		return readResult{}, false, state.missingError()
	}
	return readResult{}, true, err
}

// checkNoMarker returns a result of the new store unchanged if it is an object. If it is a marker, checkNoMarker closes
// the body, and returns the error that the caller of the layer gets in its place.
func checkNoMarker(key string, result readResult) (readResult, error) {
	kind := markerOf(result.attrs)
	if kind == "" {
		return result, nil
	}
	if result.body != nil {
		// Nobody reads the text of the marker, so a failure does not matter.
		_ = result.body.Close()
	}

	isFailedOver := result.attrs.ReplicationStatus == otherstore.FailedOver
	if isFailedOver {
		// A mirror's second store may have an older marker.
		return readResult{}, errBusy
	}
	if err := checkKind(key, kind); err != nil {
		return readResult{}, err
	}
	return readResult{}, keyState{marker: kind}.missingError()
}

// readCopy reads from the new store if the condition of r names a revision of the old store. It fails
// with PreconditionFailed if the new store has an object that is not a copy of that revision.
func (s *stores) readCopy(
	ctx context.Context, r *driver.GetRequest, get func(*driver.GetRequest) (readResult, error),
) (readResult, error) {
	state, err := s.lookup(ctx, r.Key)
	if err != nil {
		return readResult{}, err
	}
	if !state.hasObject() {
		return readResult{}, state.missingError()
	}

	condition, isCopy := s.conditionOfCopy(state, r.Condition)
	if !isCopy {
		return readResult{}, storage.PreconditionFailed
	}

	req := *r
	req.Condition = condition
	result, err := get(&req)
	if err != nil {
		return readResult{}, err
	}

	// The caller knows the object by its revision in the old store.
	result.attrs.Revision = r.Condition.Revision
	return result, nil
}

// missingError returns the error of a read that found no object in the new store. The marker decides
// whether the old store may have it.
func (k keyState) missingError() error {
	if k.marker == removed {
		return storage.ObjectNotFound
	}
	return errLookInOld
}

// isMissing reports whether an error means that the old store does not have the object, perhaps because
// it cannot have the key.
func isMissing(err error) bool {
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound, storage.Unsupported, storage.InvalidArgument:
		return true
	}
	return false
}

// Tags returns the tags in the store that has the object.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	tagsInNew := func(req *driver.GetRequest) (readResult, error) {
		attrs, err := d.Driver.Head(ctx, req)
		if err != nil {
			return readResult{}, err
		}
		isMarker := markerOf(attrs) != ""
		if isMarker {
			return readResult{attrs: attrs}, nil
		}
		tags, err := d.Driver.Tags(ctx, req)
		return readResult{attrs: attrs, tags: tags}, err
	}
	tagsInOld := func(storage.ReadOption) (readResult, error) {
		tags, err := storage.Tags(ctx, d.stores.old.Bucket, r.Key)
		return readResult{tags: tags}, err
	}

	result, err := d.stores.read(ctx, r, tagsInNew, tagsInOld)
	return result.tags, err
}

// SetTags changes the tags in the store that has the object. If neither has it, SetTags looks in the
// new store again, to which another process may have moved the object after the first look.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	err := d.setTags(ctx, r)
	if !errors.Is(err, storage.ObjectNotFound) {
		return err
	}

	state, lookupErr := d.stores.lookup(ctx, r.Key)
	if lookupErr != nil {
		return lookupErr
	}
	if !state.hasObject() {
		return err
	}
	return d.Driver.SetTags(ctx, r)
}

// setTags changes the tags in the store that has the object, for which it looks only once. With KeepOld,
// it first copies an object that only the old store has.
func (d *objectDriver) setTags(ctx context.Context, r *driver.ChangeRequest) error {
	state, err := d.stores.lookup(ctx, r.Key)
	if err != nil {
		return err
	}
	// The tags are in the new store, with the object.
	if state.hasObject() {
		return d.Driver.SetTags(ctx, r)
	}
	if state.marker == removed {
		return storage.ObjectNotFound
	}

	attrs, err := d.stores.oldAttrs(ctx, r.Key)
	if err != nil {
		return err
	}
	if attrs == nil {
		return storage.ObjectNotFound
	}
	if !d.stores.config.KeepOld {
		return d.setOldTags(ctx, r)
	}

	// The old store must keep its tags, so the object is copied first.
	if err := d.stores.copyFromOld(ctx, r.Key); err != nil {
		return err
	}
	return d.Driver.SetTags(ctx, r)
}

// setOldTags changes the tags in the old store, and then those of a copy in the new store that another
// process may have made meanwhile.
func (d *objectDriver) setOldTags(ctx context.Context, r *driver.ChangeRequest) error {
	if err := storage.SetTags(ctx, d.stores.old.Bucket, r.Key, r.Tags); err != nil {
		return err
	}
	if err := d.tagCopy(ctx, r); err != nil && !errors.Is(err, storage.ObjectNotFound) {
		return outcomeUnknown(err)
	}
	return nil
}

// tagCopy corrects the tags of a copy that another process has made, or is making, with tags that the
// old store had before. It sets the tags of a complete copy, and makes a copy in progress begin again.
func (d *objectDriver) tagCopy(ctx context.Context, r *driver.ChangeRequest) error {
	state, err := d.stores.lookup(ctx, r.Key)
	if err != nil {
		return err
	}
	if state.hasObject() {
		return d.Driver.SetTags(ctx, r)
	}
	if state.marker != copying {
		return nil
	}

	// Put another marker into the place of that of the copy in progress, and remove it again. A copy replaces only
	// its own marker by the object, so this one then fails, and begins again.
	state, err = d.stores.putMarker(ctx, r.Key, copying, state.condition())
	if errors.Is(err, errAgain) {
		return errBusy
	}
	if err != nil {
		return err
	}
	return d.stores.endMarker(ctx, r.Key, state)
}

// Sign signs a request for the new store. It first copies an object that is to be read to the new
// store, because the signed URL could otherwise return a marker, which is a small text.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	if r.Method != "GET" && r.Method != "HEAD" {
		return d.Driver.Sign(ctx, r)
	}
	if err := d.stores.copyFromOld(ctx, r.Key); err != nil && !errors.Is(err, storage.ObjectNotFound) {
		return nil, err
	}
	return d.Driver.Sign(ctx, r)
}

// copyFromOld copies an object to the new store if only the old store has it. It tries again if others
// write at the same time.
func (s *stores) copyFromOld(ctx context.Context, key string) error {
	for range removeAttempts {
		const takeOver = true
		_, err := s.copyOld(ctx, key, takeOver)
		if !errors.Is(err, errAgain) {
			return err
		}
	}
	return errBusy
}

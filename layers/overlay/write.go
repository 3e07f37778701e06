package overlay

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/markerkey"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// writeCondition returns the condition in the new store that stands for one in both. For a revision of
// the old store, it is the revision of a marker. The condition that there is no object would be wrong:
// it also holds after the object was copied and removed.
func (s *stores) writeCondition(ctx context.Context, key string, c storage.Condition) (storage.Condition, error) {
	revision, isOld := s.old.Cut(c.Revision)
	if !c.Absent && !isOld {
		return c, nil // the new store can judge it
	}
	p, err := s.look(ctx, key)
	switch moved := s.ofCopy(p, c); {
	case err != nil:
		return c, err
	case moved != c:
		return moved, nil
	case p.hasObject(), p.marker == removed && isOld:
		return c, storage.PreconditionFailed
	case p.marker == removed:
		return p.condition(), nil
	}
	attrs, err := s.inOld(ctx, key)
	switch {
	case err != nil:
		return c, err
	case attrs == nil && c.Absent:
		return p.condition(), nil
	case attrs == nil, c.Absent, attrs.Revision != revision:
		return c, storage.PreconditionFailed
	case p.attrs != nil:
		return p.condition(), nil
	}
	if p, err = s.putMarker(ctx, key, copying, p.condition()); errors.Is(err, errAgain) {
		return c, errBusy
	}
	if err != nil {
		return c, err
	}
	if attrs, err = s.inOld(ctx, key); err == nil && (attrs == nil || attrs.Revision != revision) {
		err = storage.PreconditionFailed
	}
	if err != nil {
		return c, errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, p))
	}
	return p.condition(), nil
}

// ofCopy returns a condition with a revision of the old store as one with the revision of its copy, if the new store
// has the copy.
func (s *stores) ofCopy(p place, c storage.Condition) storage.Condition {
	revision, isOld := s.old.Cut(c.Revision)
	if isOld && p.hasObject() && metadata.HoldsWriteID(p.attrs.Metadata, otherstore.CopyID(revision)) {
		return p.condition()
	}
	return c
}

// write makes a write with the condition that stands for one in both stores. If the write was refused
// because a marker came or went meanwhile, the core writes again.
func write[T any](
	ctx context.Context, s *stores, key string, condition *storage.Condition, do func() (T, error),
) (result T, err error) {
	if err := s.reserved(key); err != nil {
		return result, err
	}
	given := *condition
	c, err := s.writeCondition(ctx, key, given)
	if err != nil {
		return result, err
	}
	defer func() { *condition = given }()
	*condition = c // set in r itself and not in a copy: the checksum in r is known only when the body has ended
	result, err = do()
	if !errors.Is(err, storage.PreconditionFailed) || !given.Absent && !s.old.Has(given.Revision) {
		return result, err
	}
	if _, refused := s.writeCondition(ctx, key, given); refused != nil {
		return result, refused
	}
	return result, errBusy
}

// errBusy says that others have changed the place of the object, and that the call may be repeated.
var errBusy = &storage.Error{
	Code: storage.Unavailable, Retryable: true, Err: errors.New("the object is being moved or written by others"),
}

// Put stores the object in the new store. The object by which a job asks where a bucket is
// appears in both.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	asks := evidence.Asks(ctx, r.Key)
	if asks && d.stores.config.KeepOld { // before the new store loses its object of the key
		return nil, &storage.Error{Code: storage.Unsupported, Err: errors.New("the old store is kept as it is")}
	}
	attrs, err := write(
		ctx, d.stores, r.Key, &r.Condition, func() (*storage.Attrs, error) { return d.Driver.Put(ctx, r) },
	)
	if err != nil || !asks {
		return attrs, err
	}
	if _, err := d.stores.removes.Upload(ctx, r.Key, strings.NewReader(evidence.Text)); err != nil {
		removal := &driver.DeleteRequest{Key: r.Key, Version: attrs.Version}
		return nil, errors.Join(err, d.Driver.Delete(context.WithoutCancel(ctx), removal))
	}
	return attrs, nil
}

// endAskOld removes the object by which a job asked where a bucket is from the old store, also if only its version in
// the new store is removed. If a killed job had not stored it in the old store yet, that store may take no writes.
func (s *stores) endAskOld(ctx context.Context, key string) error {
	if s.config.KeepOld {
		return nil
	}
	if attrs, err := s.in(ctx, s.removes, key); attrs == nil {
		return err
	}
	return s.removes.Remove(ctx, key)
}

// BeginParts begins an upload in the new store.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	condition := &r.Condition
	if r.AnyOrder {
		condition = &storage.Condition{} // the condition of an open upload is checked at its end
	}
	return write(ctx, d.stores, r.Key, condition, func() (string, error) { return d.Driver.BeginParts(ctx, r) })
}

// CompleteParts makes the object in the new store.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	return write(
		ctx, d.stores, r.Put.Key, &r.Put.Condition,
		func() (*storage.Attrs, error) { return d.Driver.CompleteParts(ctx, r) },
	)
}

// removeAttempts bounds how often a removal begins again because others write meanwhile.
const removeAttempts = 5

// Delete removes the object from both stores. The object of the old store is never seen again: either the
// new store has an object until the old one is gone, or a marker hides it.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if evidence.Asks(ctx, r.Key) {
		if err := d.stores.endAskOld(ctx, r.Key); err != nil {
			return err
		}
	}
	for range removeAttempts {
		if err := d.stores.deleteOnce(ctx, r); !errors.Is(err, errAgain) {
			return err
		}
	}
	return errBusy
}

// errAgain says that another writer came first.
var errAgain = errors.New("look again")

// deleteOnce looks in the old store first: an object that it does not have never appears there, so
// that the new store decides.
func (s *stores) deleteOnce(ctx context.Context, r *driver.DeleteRequest) error {
	if err := s.reserved(r.Key); err != nil {
		return err
	}
	attrs, err := s.in(ctx, s.removes, r.Key)
	if err != nil {
		return err
	}
	p, err := s.look(ctx, r.Key)
	if err != nil {
		return err
	}
	own := *r
	own.Condition = s.ofCopy(p, r.Condition)
	revision, isOld := s.old.Cut(r.Condition.Revision)
	conditional := r.Condition.Revision != ""
	switch {
	case p.hasObject() && conditional && own.Condition.Revision != p.attrs.Revision:
		return storage.PreconditionFailed // before anything is removed
	case p.hasObject():
		if attrs != nil {
			if err := s.removeOld(ctx, r.Key); err != nil {
				return err
			}
		}
		return s.driver.Delete(ctx, &own)
	case p.marker == removed: // a killed process has left the marker
		return s.endRemoval(ctx, r.Key, p)
	case attrs == nil && p.marker == "":
		return nil
	case attrs == nil:
		return s.endMarker(ctx, r.Key, p)
	case s.config.NewOnly: // nobody sees the object
		return s.removeOld(ctx, r.Key)
	case conditional && (!isOld || revision != attrs.Revision):
		if attrs, err = s.inOld(ctx, r.Key); attrs == nil { // the object was removed before the look at the new store
			return cmp.Or(err, errAgain)
		}
		return storage.PreconditionFailed
	case s.desc.Features&storage.ConditionalRemove == 0: // a marker could not be removed safely
		if _, err := s.copyOld(ctx, r.Key, true); err != nil && !errors.Is(err, storage.ObjectNotFound) {
			return err
		}
		return errAgain
	}
	return s.removeHidden(ctx, r.Key, p)
}

// removeHidden removes an object that only the old store has. The marker stops copies in progress.
func (s *stores) removeHidden(ctx context.Context, key string, p place) error {
	p, err := s.putMarker(ctx, key, removed, p.condition())
	if err != nil {
		return err
	}
	return s.endRemoval(ctx, key, p)
}

// endRemoval removes the object that a marker hides, and then the marker. If the old store refuses, the object
// is seen again. After any other failure, also of removing the marker, the object stays hidden, because readers
// have missed it already: the next removal or [Finish] ends the removal.
func (s *stores) endRemoval(ctx context.Context, key string, p place) error {
	err := s.removeOld(ctx, key)
	switch storage.CodeOf(err) {
	case "":
		_ = s.endMarker(ctx, key, p) // a marker that stays hides no object any more
		return nil
	case storage.PermissionDenied,
		storage.Unauthenticated,
		storage.Locked,
		storage.Unsupported,
		storage.InvalidArgument:
		failed := s.endMarker(context.WithoutCancel(ctx), key, p)
		if failed == nil {
			return err
		}
		err = errors.Join(err, failed)
	}
	return unknown(err)
}

// unknown returns the error of a write that was done in part.
func unknown(err error) error {
	return &storage.Error{Code: storage.CodeOf(err), Unknown: true, Retryable: storage.IsTemporary(err), Err: err}
}

// copyOld copies an object of the old store, and returns its attributes. They are nil if the new store
// has an object already. It fails with ObjectNotFound if no store has one; it has then ended what a
// killed process left. It fails with errAgain if others are copying, writing or removing the object.
// Without takeOver, it also does so if there is the marker of a copy.
func (s *stores) copyOld(ctx context.Context, key string, takeOver bool) (*storage.Attrs, error) {
	p, err := s.look(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case p.hasObject():
		return nil, nil
	case p.marker == removed && s.isForeign(p):
		return nil, storage.ObjectNotFound
	case p.marker == removed:
		return nil, cmp.Or[error](s.endRemoval(ctx, key, p), storage.ObjectNotFound)
	}
	attrs, err := s.inOld(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case attrs == nil && p.attrs != nil:
		return nil, cmp.Or[error](s.endMarker(ctx, key, p), storage.ObjectNotFound)
	case attrs == nil:
		return nil, storage.ObjectNotFound
	case p.marker == copying && !takeOver:
		return nil, errAgain
	}
	p, err = s.putMarker(ctx, key, copying, p.condition())
	if err != nil {
		return nil, err
	}
	gone, err := s.isRemoved(ctx, key) // with KeepOld, the old store still has a removed object
	if gone {
		err = errAgain
	}
	if err != nil {
		return nil, errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, p))
	}
	attrs, err = storage.Copy(markerkey.Allow(driver.WithLayerMetadata(ctx)), s.new, key, s.old.Bucket, key,
		otherstore.NamedCopy(attrs.Revision), storage.IfRevision(s.old.Public(p.attrs.Revision)))
	switch storage.CodeOf(err) {
	case "":
		return attrs, nil
	case storage.PreconditionFailed:
		return nil, errAgain
	case storage.ObjectNotFound, storage.Changed: // somebody removes it, or sets its tags
		err = errAgain
	}
	return nil, errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, p))
}

package overlay

import (
	"cmp"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// writeCondition returns the condition in the new store that stands for one in both.
func (s *stores) writeCondition(ctx context.Context, key string, c storage.Condition) (storage.Condition, error) {
	revision, isOld := s.cutOld(c.Revision)
	if !c.Absent && !isOld {
		return c, nil // the new store can judge it
	}
	p, err := s.look(ctx, key)
	switch {
	case err != nil:
		return c, err
	case p.hasObject():
		return c, storage.PreconditionFailed
	case p.marker == removed && isOld:
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
	case attrs == nil:
		return c, storage.PreconditionFailed
	case c.Absent, attrs.Revision != revision:
		return c, storage.PreconditionFailed
	}
	return p.condition(), nil
}

// with sets a condition until the returned function is called.
func with(condition *storage.Condition, c storage.Condition) (restore func()) {
	was := *condition
	*condition = c
	return func() { *condition = was }
}

// Put stores the object in the new store.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	c, err := d.stores.writeCondition(ctx, r.Key, r.Condition)
	if err != nil {
		return nil, err
	}
	defer with(&r.Condition, c)() // no copy of r: its checksum is known when the body has ended
	return d.Driver.Put(ctx, r)
}

// BeginParts begins an upload in the new store.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	c, err := d.stores.writeCondition(ctx, r.Key, r.Condition)
	if err != nil {
		return "", err
	}
	defer with(&r.Condition, c)()
	return d.Driver.BeginParts(ctx, r)
}

// CompleteParts makes the object in the new store.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	c, err := d.stores.writeCondition(ctx, r.Put.Key, r.Put.Condition)
	if err != nil {
		return nil, err
	}
	defer with(&r.Put.Condition, c)()
	return d.Driver.CompleteParts(ctx, r)
}

// removeAttempts bounds how often a removal begins again because others write meanwhile.
const removeAttempts = 5

// Delete removes the object from both stores. The object of the old store is never seen again: either the
// new store has an object until the old one is gone, or a marker hides it.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	var err error
	for range removeAttempts {
		err = d.stores.deleteOnce(ctx, r)
		if !errors.Is(err, errAgain) {
			return err
		}
	}
	return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errors.New("others wrote the object again and again")}
}

// errAgain says that another writer came first.
var errAgain = errors.New("look again")

func (s *stores) deleteOnce(ctx context.Context, r *driver.DeleteRequest) error {
	p, err := s.look(ctx, r.Key)
	if err != nil {
		return err
	}
	attrs, err := s.inOld(ctx, r.Key)
	if err != nil {
		return err
	}
	inOld := attrs != nil
	revision, isOld := s.cutOld(r.Condition.Revision)
	switch {
	case p.hasObject() && isOld:
		return storage.PreconditionFailed
	case p.hasObject() && inOld:
		if err := s.checkRevision(p, r.Condition); err != nil {
			return err
		}
		if err := s.old.Remove(ctx, r.Key); err != nil {
			return err
		}
		return s.driver.Delete(ctx, r)
	case p.hasObject():
		return s.driver.Delete(ctx, r)
	case p.marker == removed: // by a process that was killed
		return s.endRemoval(ctx, r.Key, p)
	case !inOld && p.marker == "":
		return nil
	case !inOld:
		return s.endMarker(ctx, r.Key, p)
	case r.Condition.Revision != "" && (!isOld || revision != attrs.Revision):
		return storage.PreconditionFailed
	}
	if s.desc.Features&storage.ConditionalRemove == 0 { // a marker could not be removed safely
		if _, err := s.copyOld(ctx, r.Key); err != nil {
			return err
		}
		return errAgain
	}
	return s.removeOld(ctx, r.Key, p)
}

// checkRevision refuses a removal whose condition does not hold before anything is removed.
func (s *stores) checkRevision(p place, c storage.Condition) error {
	if c.Revision != "" && c.Revision != p.attrs.Revision {
		return storage.PreconditionFailed
	}
	return nil
}

// removeOld removes an object that only the old store has. The marker stops copies that are under
// way.
func (s *stores) removeOld(ctx context.Context, key string, p place) error {
	p, err := s.putMarker(ctx, key, removed, p.condition())
	if errors.Is(err, storage.PreconditionFailed) {
		return errAgain
	}
	if err != nil {
		return err
	}
	return s.endRemoval(ctx, key, p)
}

// endRemoval removes the object that a marker hides, and then the marker.
func (s *stores) endRemoval(ctx context.Context, key string, p place) error {
	if err := s.old.Remove(ctx, key); err != nil {
		return errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, p))
	}
	_ = s.endMarker(ctx, key, p) // a marker that stays hides nothing any more
	return nil
}

// DeleteBatch removes one object after the other.
func (d *objectDriver) DeleteBatch(ctx context.Context, requests []driver.DeleteRequest) []error {
	errs := make([]error, len(requests))
	for i := range requests {
		errs[i] = d.Delete(ctx, &requests[i])
	}
	return errs
}

// copyOld copies an object of the old store, and returns its attributes. They are nil if the new store
// has an object, or somebody else copies, writes or removes it now.
func (s *stores) copyOld(ctx context.Context, key string) (*storage.Attrs, error) {
	p, err := s.look(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case p.hasObject():
		return nil, nil
	case p.marker == removed:
		return nil, storage.ObjectNotFound
	}
	if attrs, err := s.inOld(ctx, key); attrs == nil {
		return nil, cmp.Or[error](err, storage.ObjectNotFound)
	}
	p, err = s.putMarker(ctx, key, copying, p.condition())
	if errors.Is(err, storage.PreconditionFailed) { // another copy, a write or a removal came first
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	attrs, err := storage.Copy(ctx, s.new, key, s.old, key, storage.IfRevision(s.public(p.attrs.Revision)))
	switch {
	case err == nil:
		return attrs, nil
	case errors.Is(err, storage.PreconditionFailed):
		return nil, nil
	}
	return nil, errors.Join(err, s.endMarker(context.WithoutCancel(ctx), key, p))
}

// public returns a revision of the new store as its bucket returns it.
func (s *stores) public(revision string) string {
	if s.desc.TaggedRevisions {
		return revision
	}
	return s.desc.Provider + ":" + revision
}

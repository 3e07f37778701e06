package s3server

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/objectlock"
)

func (s *driverStore) remove(ctx context.Context, r *removeRequest) (removal, error) {
	b, settings, err := s.bucketOf(ctx, r.bucket)
	if err != nil {
		return removal{}, err
	}
	defer s.keys.lock(r.bucket + "/" + r.key)()
	version, err := b.removable(ctx, r)
	if err != nil {
		return removal{}, err
	}
	request := &storage.DeleteRequest{Key: escapeKey(r.key), Version: version, BypassGovernance: r.bypass}
	if r.condition != (writeCondition{}) {
		if request.Condition, err = b.guardRemoval(ctx, r); err != nil {
			return removal{}, err
		}
	}
	if isMarkerID(r.id) {
		return b.removeMarker(ctx, r, s.now())
	}
	gone := removal{id: r.id}
	if b.description().Local || settings.notification != nil {
		_, err := b.driver.Head(ctx, &storage.GetRequest{Key: request.Key, Version: version, Length: -1})
		code := storage.CodeOf(err)
		gone.missing = code == storage.ObjectNotFound || code == storage.InvalidArgument
	}
	if err := s.uncoverMarker(ctx, b, r, version); err != nil {
		return removal{}, driverError(err, r.key)
	}
	switch err := b.driver.Delete(ctx, request); {
	case storage.CodeOf(err) == storage.InvalidArgument && r.id != "":
		return removal{id: r.id, missing: true}, nil
	case err != nil:
		return removal{}, lost(driverError(err, r.key), r.condition)
	}
	if r.id != "" || settings.versioning == "" {
		return gone, nil
	}
	gone = removal{marker: true}
	marker, err := b.currentMarker(ctx, r.key)
	if err == nil && marker != nil {
		gone.id = marker.id
	}
	return gone, nil
}

// uncoverMarker prepares the removal of the current version by its id. If a delete marker is the
// version before it, the driver would make the version below the marker current. Instead, the
// current version is removed as by a request without id, and is noncurrent from then on.
func (s *driverStore) uncoverMarker(ctx context.Context, b *driverBucket, r *removeRequest, version string) error {
	if version == "" || b.description().Provider != "local" {
		return nil
	}
	first, marked := true, false
	err := b.versionsOf(ctx, r.key, func(e *listedEntry) (bool, error) {
		if first {
			first = false
			return e.Current && e.Version == version, nil
		}
		marked = e.marker
		return false, nil
	})
	if err != nil || !marked {
		return err
	}
	key := escapeKey(r.key)
	current, err := b.driver.Head(ctx, &storage.GetRequest{Key: key, Version: version, Length: -1})
	if err != nil {
		return unless(err, storage.ObjectNotFound)
	}
	if err := objectlock.CheckRemoval(current.Retention, current.LegalHold, r.bypass, s.now()); err != nil {
		return err
	}
	err = b.driver.Delete(ctx, &storage.DeleteRequest{Key: key, Condition: storage.Condition{Revision: current.Revision}})
	return unless(err, storage.PreconditionFailed) // it is not current any more
}

// removable returns the driver's id of the version that a request removes.
func (b *driverBucket) removable(ctx context.Context, r *removeRequest) (string, error) {
	id, err := b.driverVersion(ctx, r.key, r.id)
	if err != nil || id == "" || isMarkerID(r.id) || !b.keepsETags() {
		return id, err
	}
	if _, err := b.driver.Head(ctx, &storage.GetRequest{Key: escapeKey(r.key), Version: id, Length: -1}); err == nil {
		return id, nil
	}
	v, err := b.findRestored(ctx, r.key, r.id)
	if v == nil || err != nil {
		return id, err
	}
	defer held(v).close()
	return held(v).attrs.Version, nil
}

// guardRemoval checks the condition of a removal. A version is removed whatever is current by
// then: the condition is about the moment of the request.
func (b *driverBucket) guardRemoval(ctx context.Context, r *removeRequest) (storage.Condition, error) {
	c, err := b.guard(ctx, r.key, r.condition.checkDelete)
	if err != nil || r.id != "" || c.Absent {
		return storage.Condition{}, err
	}
	return c, b.need(storage.ConditionalRemove, "conditional removal")
}

package driverstore

import (
	"context"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// Remove removes a version of an object, or the current object if r.ID is "". For the latter, a bucket with versioning
// keeps a delete marker.
func (s *Store) Remove(ctx context.Context, r *state.RemoveRequest) (state.Removal, error) {
	b, settings, err := s.bucketOf(ctx, r.Bucket)
	if err != nil {
		return state.Removal{}, err
	}
	unlock, err := s.lock(ctx, r.Bucket+"/"+r.Key)
	if err != nil {
		return state.Removal{}, err
	}
	defer unlock()
	return b.remove(ctx, r, settings)
}

// remove is Remove for a caller that holds the lock of the key.
func (b *driverBucket) remove(
	ctx context.Context, r *state.RemoveRequest, settings *state.Bucket,
) (state.Removal, error) {
	condition, err := b.guardRemoval(ctx, r)
	if err != nil {
		return state.Removal{}, err
	}

	// The driver has no such version if the marker is one that only S3 shows.
	if isMarkerID(r.ID) {
		return b.removeImplied(ctx, r)
	}
	// This library's own stores may have several versions with the same id for clients.
	if r.ID != "" && b.ownStore() && b.keepsVersions() {
		return b.removeVersion(ctx, r)
	}

	hasEvent := settings.Notification != nil
	removal, err := b.delete(ctx, r, condition, hasEvent)
	if err != nil {
		return state.Removal{}, err
	}

	// The removal of a current object leaves a delete marker, if the bucket has versioning.
	leavesMarker := r.ID == "" && settings.Versioning != ""
	if !leavesMarker {
		return removal, nil
	}
	if settings.Versioning == state.Suspended {
		// The marker is the new null version, and S3 keeps only one.
		b.removeReplaced(ctx, r.Key)
		return state.Removal{Marker: true, ID: state.NullVersion}, nil
	}
	return b.deleteMarkerRemoval(ctx, r.Key), nil
}

// delete lets the driver remove a version, or the current object. If hasEvent is true, it first looks up whether the
// version exists, because the driver does not tell, and a removal of nothing causes no event.
func (b *driverBucket) delete(
	ctx context.Context, r *state.RemoveRequest, condition storage.Condition, hasEvent bool,
) (state.Removal, error) {
	version, err := b.driverVersion(ctx, r.Key, r.ID)
	if err != nil {
		return state.Removal{}, err
	}
	request := &driver.DeleteRequest{
		Key:              b.naming().Escape(r.Key),
		Version:          version,
		BypassGovernance: r.Bypass,
		Condition:        condition,
	}

	isMissing := hasEvent && b.isMissing(ctx, request.Key, version)
	if err := b.driver.Delete(ctx, request); err != nil {
		isInvalidID := storage.CodeOf(err) == storage.InvalidArgument && r.ID != ""
		if isInvalidID {
			// No version can have this id, so there is nothing to remove.
			return state.Removal{ID: r.ID, Missing: true}, nil
		}
		return state.Removal{}, conditionError(storageerror.ToS3(err, r.Key), r.Condition)
	}
	return state.Removal{ID: r.ID, Missing: isMissing}, nil
}

// isMissing reports whether the driver has no such version, or no current object if version is "". If the driver cannot
// tell because of an error, the version counts as existing.
func (b *driverBucket) isMissing(ctx context.Context, name, version string) bool {
	_, err := b.driver.Head(ctx, &driver.GetRequest{Key: name, Version: version, Length: -1})
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound:
		return true
	case storage.InvalidArgument:
		// No version can have this id.
		return true
	}
	return false
}

// deleteMarkerRemoval returns the result of a removal that has added a delete marker. It looks up the marker's id,
// which the driver does not return. The id is "" if no marker is found.
func (b *driverBucket) deleteMarkerRemoval(ctx context.Context, key string) state.Removal {
	// Look at older versions, too, because another write may have added a newer one since the removal.
	for e, err := range b.names.versionsOf(ctx, key) {
		if err != nil {
			break
		}
		// This library's own stores have stored a marker for the removal. A marker that only S3 shows (see
		// markerSuffix) may belong to another call there, which is removing the object at the same time.
		isAdded := e.marker && (e.IsDeleteMarker || !b.ownStore())
		if isAdded {
			return state.Removal{Marker: true, ID: e.id}
		}
	}
	return state.Removal{Marker: true}
}

// removeVersion removes a version or a delete marker in one of this library's own stores. With the null version, it
// also removes the older null versions, which would otherwise become visible.
func (b *driverBucket) removeVersion(ctx context.Context, r *state.RemoveRequest) (state.Removal, error) {
	versions, isMarker, err := b.versionsToRemove(ctx, r)
	if err != nil {
		return state.Removal{}, err
	}

	// Remove the oldest first, so that no older null version becomes visible in the meantime.
	for _, version := range slices.Backward(versions) {
		err := b.driver.Delete(ctx, &driver.DeleteRequest{
			Key:              b.naming().Escape(r.Key),
			Version:          version,
			BypassGovernance: r.Bypass,
		})
		if err != nil {
			return state.Removal{}, storageerror.ToS3(err, r.Key)
		}
	}
	return state.Removal{ID: r.ID, Marker: isMarker, Missing: len(versions) == 0}, nil
}

// versionsToRemove returns the driver's ids of the versions whose id for clients is r.ID, the newest first, and whether
// the newest is a delete marker. Only the id of null versions can have several.
func (b *driverBucket) versionsToRemove(
	ctx context.Context, r *state.RemoveRequest,
) (versions []string, isMarker bool, err error) {
	for e, err := range b.names.storedVersionsOf(ctx, r.Key) {
		if err != nil {
			return nil, false, err
		}
		if e.id != r.ID || r.Misses(e.modified) {
			continue
		}
		versions = append(versions, e.Version)
		if e.marker && !e.isReplaced {
			isMarker = true
		}
	}
	return versions, isMarker, nil
}

// removeReplaced removes all null versions of a key except the newest, because S3 keeps only one. A version whose
// removal fails stays hidden until the next write tries again.
func (b *driverBucket) removeReplaced(ctx context.Context, key string) {
	var versions []string
	for e, err := range b.names.storedVersionsOf(ctx, key) {
		if err != nil {
			// The versions so far are removed nevertheless.
			break
		}
		if e.isReplaced {
			versions = append(versions, e.Version)
		}
	}

	for _, version := range versions {
		_ = b.driver.Delete(ctx, &driver.DeleteRequest{
			Key:              b.naming().Escape(key),
			Version:          version,
			BypassGovernance: true,
		})
	}
}

// guardRemoval fails if the condition of a removal does not hold. It returns a condition for the driver that holds only
// while the current version is the same, or an empty one if the request names the version to remove.
func (b *driverBucket) guardRemoval(ctx context.Context, r *state.RemoveRequest) (storage.Condition, error) {
	check := func(current *state.Version) error {
		if current != nil && r.Misses(current.Modified) {
			return s3error.New("PreconditionFailed")
		}
		return r.Condition.CheckDelete(r.Key, current)
	}
	condition, err := b.guardCondition(ctx, r.Key, r.Condition, check)
	if err != nil {
		return storage.Condition{}, err
	}

	// A named version is removed whatever the current one is, and a missing object is not removed at all.
	hasCondition := r.Condition != (state.WriteCondition{})
	if r.ID != "" || !hasCondition || condition.Absent {
		return storage.Condition{}, nil
	}
	return condition, b.requireFeature(storage.ConditionalRemove, "conditional removal")
}

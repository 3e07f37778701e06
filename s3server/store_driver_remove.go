package s3server

import (
	"context"
	"slices"

	"github.com/omnibucket/storage"
)

func (s *driverStore) remove(ctx context.Context, r *removeRequest) (removal, error) {
	b, settings, err := s.bucketOf(ctx, r.bucket)
	if err != nil {
		return removal{}, err
	}
	defer s.keys.lock(r.bucket + "/" + r.key)()
	request := &storage.DeleteRequest{Key: b.naming().Escape(r.key), BypassGovernance: r.bypass}
	if r.condition != (writeCondition{}) {
		if request.Condition, err = b.guardRemoval(ctx, r); err != nil {
			return removal{}, err
		}
	}
	switch {
	case isMarkerID(r.id):
		return b.removeImplied(ctx, r, s.now())
	case r.id != "" && b.description().Local && b.keepsVersions():
		return b.removeVersion(ctx, r)
	}
	if request.Version, err = b.driverVersion(ctx, r.key, r.id); err != nil {
		return removal{}, err
	}
	gone := removal{id: r.id}
	if b.description().Local || settings.notification != nil {
		_, err := b.driver.Head(ctx, &storage.GetRequest{Key: request.Key, Version: request.Version, Length: -1})
		code := storage.CodeOf(err)
		gone.missing = code == storage.ObjectNotFound || code == storage.InvalidArgument
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
	if settings.versioning == suspended {
		b.removeReplaced(ctx, r.key)
	}
	return b.marked(ctx, r.key), nil
}

// marked returns the result of a removal that has added a delete marker. If the driver does not tell
// its id, it has none.
func (b *driverBucket) marked(ctx context.Context, key string) removal {
	gone := removal{marker: true}
	_ = b.names.versionsOf(ctx, key, func(e *listedEntry) (bool, error) { // above it may be a later version
		if e.marker {
			gone.id = e.id
		}
		return !e.marker, nil
	})
	return gone
}

// removeVersion removes a version or a delete marker on this machine, with the null versions that it
// has replaced: they are removed first, so that they cannot return.
func (b *driverBucket) removeVersion(ctx context.Context, r *removeRequest) (removal, error) {
	gone := removal{id: r.id, missing: true}
	var stored []string
	err := b.names.storedOf(ctx, r.key, func(e *listedEntry) (bool, error) {
		if e.id == r.id {
			stored = append(stored, e.Version)
			gone.marker = gone.marker || e.marker && !e.replaced
			gone.missing = false
		}
		return true, nil
	})
	if err != nil {
		return removal{}, err
	}
	for _, version := range slices.Backward(stored) {
		err := b.driver.Delete(ctx, &storage.DeleteRequest{Key: b.naming().Escape(r.key), Version: version, BypassGovernance: r.bypass})
		if err != nil {
			return removal{}, driverError(err, r.key)
		}
	}
	return gone, nil
}

// removeReplaced removes the null versions of a key that a newer one has replaced. If it fails, they
// stay hidden until the next write.
func (b *driverBucket) removeReplaced(ctx context.Context, key string) {
	var stored []string
	_ = b.names.storedOf(ctx, key, func(e *listedEntry) (bool, error) {
		if e.replaced {
			stored = append(stored, e.Version)
		}
		return true, nil
	})
	for _, version := range stored {
		_ = b.driver.Delete(ctx, &storage.DeleteRequest{Key: b.naming().Escape(key), Version: version, BypassGovernance: true})
	}
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

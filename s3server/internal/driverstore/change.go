package driverstore

import (
	"context"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// Change calls change with a copy of a version, and then sends the differences between both to the driver. They may be
// in the tags, the lock, the ACL, the storage class and the restored copy. Other changes of the key wait meanwhile.
func (s *Store) Change(
	ctx context.Context, name state.VersionName, change func(*state.Bucket, *state.Version) error,
) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, name.Bucket)
	if err != nil {
		return nil, "", err
	}
	unlock, err := s.lock(ctx, name.Bucket+"/"+name.Key)
	if err != nil {
		return nil, "", err
	}
	defer unlock()

	old, err := b.find(ctx, name.Key, name.ID)
	if err != nil {
		return nil, "", err
	}
	defer s.Release(old)
	if err := state.Readable(old, name); err != nil {
		return nil, settings.Shown(old), err
	}

	// The function changes only the copy, so that the driver sees the differences.
	v := *old
	if err := change(settings, &v); err != nil {
		return nil, "", err
	}

	// If the object was replaced or removed in the meantime, a retry finds out which.
	err = b.change(ctx, old, &v)
	if isCode(err, storage.ObjectNotFound) {
		return nil, "", s3error.New("ServiceUnavailable")
	}
	if err != nil {
		return nil, "", storageerror.ToS3(err, name.Key)
	}
	return &v, settings.Shown(old), nil
}

// change sends the differences between the old and the new state of a version to the driver.
func (b *driverBucket) change(ctx context.Context, old, v *state.Version) error {
	attrs := handleOf(old).attrs
	req := &driver.ChangeRequest{
		Key:              attrs.Key,
		Version:          attrs.Version,
		BypassGovernance: true, // the caller has checked the permission for it
	}

	// Retention and legal hold have requests of their own. The rest of the state is stored in tags.
	oldLock := &old.Object.Lock
	newLock := &v.Object.Lock
	hasNewRetention := oldLock.Mode != newLock.Mode || !oldLock.Until.Equal(newLock.Until)
	if hasNewRetention {
		if err := b.requireFeature(storage.ObjectLock, "object-lock"); err != nil {
			return err
		}
		req.Retention = retentionOf(newLock)
		if err := b.driver.SetRetention(ctx, req); err != nil {
			return err
		}
	}

	wasHeld := oldLock.Hold == "ON"
	isHeld := newLock.Hold == "ON"
	if wasHeld != isHeld {
		if err := b.requireFeature(storage.ObjectLock, "object-lock"); err != nil {
			return err
		}
		req.LegalHold = isHeld
		if err := b.driver.SetLegalHold(ctx, req); err != nil {
			return err
		}
	}
	return b.changeTags(ctx, req, old, v)
}

// changeTags sends changed tags to the driver. They include the reserved tag, hidden from clients, which has the
// properties that the driver cannot change otherwise, such as the ACL.
func (b *driverBucket) changeTags(ctx context.Context, r *driver.ChangeRequest, old, v *state.Version) error {
	tags := tagging.Map(v.Object.Properties.Tags)
	oldTags := tagging.Map(old.Object.Properties.Tags)
	reserved := b.reservedOf(v)
	isReservedChanged := reserved != b.reservedOf(old)
	if !isReservedChanged && maps.Equal(tags, oldTags) {
		return nil
	}
	if err := b.requireFeature(storage.ObjectTags, "tagging"); err != nil {
		return err
	}

	// SetTags replaces all tags, so a reserved tag that the object already has must be among the new ones.
	needsReserved := isReservedChanged || b.hasReservedTag(ctx, r)
	if needsReserved {
		if !b.ownStore() {
			return s3error.New("NotImplemented").WithMessage("The store behind this server cannot change this of an object")
		}
		tags[reservedTag] = reserved
	}
	r.Tags = tags
	return b.driver.SetTags(ctx, r)
}

// reservedOf returns the value of the reserved tag for a version.
func (b *driverBucket) reservedOf(v *state.Version) string {
	properties := changesOf(&v.Object)
	if !b.ownStore() {
		properties.Del(entryHold) // providers do not store whether a legal hold has ended or was never set
	}
	return properties.Encode()
}

// hasReservedTag reports whether the object already has the reserved tag.
func (b *driverBucket) hasReservedTag(ctx context.Context, r *driver.ChangeRequest) bool {
	tags, err := b.driver.Tags(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
	return err == nil && tags[reservedTag] != ""
}

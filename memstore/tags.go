package memstore

import (
	"context"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Tags returns the tags of the current object, or of the version that the request names.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	o, _, err := d.lookup(ctx, r)
	if err != nil {
		return nil, err
	}
	return o.copyExtra().tags, nil
}

// SetTags replaces the tags of the current object, or of the version that the request names.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, r, func(_ *object, _ *bucket, extra *extraAttrs) error {
		extra.tags = maps.Clone(r.Tags)
		return nil
	})
}

// change changes the tags, locks or restore state of an object, whose revision stays the same. It
// calls f with the object, its locked bucket, and a copy of the attributes that f may change.
func (d *objectDriver) change(
	ctx context.Context, r *driver.ChangeRequest, f func(old *object, b *bucket, extra *extraAttrs) error,
) error {
	revision, err := parseVersion(r.Version)
	if err != nil {
		return err
	}
	b, err := d.openToWrite(ctx)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()

	old := b.find(r.Key, revision)
	if old == nil {
		return storage.ObjectNotFound
	}

	// Readers may still use the old object, so change a copy.
	extra := old.copyExtra()
	if err := f(old, b, &extra); err != nil {
		return err
	}

	// Replace the old object in its place, as the current one or as a noncurrent version.
	changed := *old
	changed.setExtra(extra)
	isCurrent := b.live.get(r.Key) == old
	if isCurrent {
		b.live.set(&changed)
		return nil
	}

	// It is a noncurrent version.
	v, _ := b.noncurrent.Get(version{position: position{key: old.key, revision: old.revision}})
	v.object = &changed
	b.noncurrent.Set(v)
	return nil
}

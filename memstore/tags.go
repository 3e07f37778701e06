package memstore

import (
	"context"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Tags returns the tags of the current object, or of the version in r.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	o, _, err := d.lookup(ctx, r)
	if err != nil {
		return nil, err
	}
	return o.copyExtra().tags, nil
}

// SetTags replaces the tags of the current object, or of the version in r.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, r, func(_ *object, _ *bucket, extra *extraAttrs) error {
		extra.tags = maps.Clone(r.Tags)
		return nil
	})
}

// change changes the tags, locks or restored copy of an object, by calling f. The revision of the
// object stays the same. f gets the object, its locked bucket, and a copy of what it may change.
func (d *objectDriver) change(
	ctx context.Context, r *driver.ChangeRequest, f func(old *object, b *bucket, extra *extraAttrs) error,
) error {
	revision, err := parseVersion(r.Version)
	if err != nil {
		return err
	}
	b, err := lock(d.open(ctx))
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
	o := *old
	o.setExtra(extra)
	if b.live.get(r.Key) == old {
		b.live.set(&o)
		return nil
	}

	// It is a noncurrent version.
	v, _ := b.noncurrent.Get(version{position: position{o.key, o.revision}})
	v.object = &o
	b.noncurrent.Set(v)
	return nil
}

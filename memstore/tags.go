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
	return d.change(ctx, r, func(_ *object, _ *bucket, k *extraAttrs) error {
		k.tags = maps.Clone(r.Tags)
		return nil
	})
}

// change calls the function f, which changes the tags, locks or restored copy of an object. The
// revision of the object stays the same.
func (d *objectDriver) change(
	ctx context.Context, r *driver.ChangeRequest, f func(old *object, b *bucket, k *extraAttrs) error,
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
	k := old.copyExtra()
	if err := f(old, b, &k); err != nil {
		return err
	}
	o := *old
	o.setExtra(k)
	if b.live.get(r.Key) == old {
		b.live.set(&o)
		return nil
	}

	v, _ := b.noncurrent.Get(version{position: position{o.key, o.revision}})
	v.object = &o
	b.noncurrent.Set(v)
	return nil
}

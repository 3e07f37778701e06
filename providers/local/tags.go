package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Tags returns the tags of the current object, or of the version that r names.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return store.Objects.Tags(ctx, r)
}

// SetTags replaces all tags of an object.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	store, err := d.acquireForVersion(ctx, r.Version)
	if err != nil {
		return err
	}
	defer d.release(store)
	return store.Objects.SetTags(ctx, r)
}

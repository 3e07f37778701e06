package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// Put writes a hidden file with the object's bytes and attributes, and renames it to its place. So a
// reader sees either the old object or the new one, never a mixture.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	// A semaphore limits the number of open files.
	hasSlot, err := bucketdir.Bodies.AcquireOrPass(ctx)
	if err != nil {
		return nil, err
	}
	defer bucketdir.Bodies.ReleaseIf(hasSlot)

	store, err := d.acquireNow(ctx)
	if err != nil {
		return nil, err
	}
	defer d.releaseNow(store)
	return store.Objects.Put(ctx, r)
}

package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
)

// ListVersions returns a page of current objects, noncurrent versions and delete markers, with the
// same prefixes as List. Noncurrent versions always have a version ID, because a caller needs it to
// read or remove them. Current objects have none if versioning is off.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	pos, err := bucketstore.ParseToken(r)
	if err != nil {
		return nil, err
	}

	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return bucketdir.RetryFor(ctx, func() (*driver.VersionPage, error) { return store.ListVersions(ctx, r, pos) })
}

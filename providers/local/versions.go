package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
)

// ListVersions returns a page of current objects, noncurrent versions and delete markers, with the
// same prefixes as List. If versioning is off, current objects have no version. Noncurrent versions
// always have one, because a caller needs it to read or remove them.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	pos, err := bucketstore.ParseToken(r)
	if err != nil {
		return nil, err
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	return waitingForFiles(ctx, func() (*driver.VersionPage, error) { return s.ListVersions(ctx, r, pos) })
}

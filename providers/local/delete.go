package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Delete removes the current object, or the version that the request names. In a bucket that keeps
// versions, the object becomes a noncurrent version below a delete marker, which even a missing key
// gets.
//
// A named version is removed permanently. If it was the newest one, the next version becomes current,
// unless that is a delete marker.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	store, err := d.acquireForVersion(ctx, r.Version)
	if err != nil {
		return err
	}
	defer d.release(store)
	return store.Objects.Delete(ctx, r)
}

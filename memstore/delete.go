package memstore

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Delete removes the current object, which becomes a noncurrent version if the bucket keeps
// versions. If the request names a version, Delete removes that version permanently, and if it was
// the current one, the newest remaining version becomes current.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	revision, err := parseVersion(r.Version)
	if err != nil {
		return err
	}
	now := d.account.time()
	b, err := d.openToWrite(ctx)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	return b.remove(r, revision, now)
}

// DeleteBatch removes one object after the other, so that other calls can take the lock in between.
func (d *objectDriver) DeleteBatch(ctx context.Context, requests []driver.DeleteRequest) []error {
	errs := make([]error, len(requests))
	for i := range requests {
		errs[i] = d.Delete(ctx, &requests[i])
	}
	return errs
}

package memstore

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Delete removes the current object, or the version that the request names. If the bucket keeps
// versions, the current object becomes a noncurrent version. A named version is removed
// permanently. If it was the current one, the newest remaining version becomes current.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	revision, err := parseVersion(r.Version)
	if err != nil {
		return err
	}
	now := d.account.time()
	b, err := lock(d.open(ctx))
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	return b.remove(r, revision, now)
}

// DeleteBatch removes one object after the other. A batch would save no network requests here, and
// other calls can use the lock in between.
func (d *objectDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range r {
		errs[i] = d.Delete(ctx, &r[i])
	}
	return errs
}

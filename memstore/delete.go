package memstore

import (
	"context"

	"github.com/omnibucket/storage"
)

// Delete without a version keeps what was there where the bucket keeps
// versions; with one it removes that version for good, and if that was the
// current one, the newest that is left takes its place.
func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	revision, err := parseVersion(r.Version)
	if err != nil {
		return err
	}
	b, err := d.open(ctx)
	if err != nil {
		return err
	}
	now := b.account.time()
	if err := b.lock(); err != nil {
		return err
	}
	defer b.mu.Unlock()
	return b.remove(r.Key, revision, r.Condition, now)
}

// DeleteBatch removes one after the other: there is no request to save, and the
// lock is free in between.
func (d *driver) DeleteBatch(ctx context.Context, r []storage.DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range r {
		errs[i] = d.Delete(ctx, &r[i])
	}
	return errs
}

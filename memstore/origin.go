package memstore

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/origin"
	"github.com/omnibucket/storage/internal/signed"
)

var _ origin.Origin = (*driver)(nil)

// VerifyingKeys are those that sign.
func (d *driver) VerifyingKeys(context.Context) (signed.Keys, error) { return d.account.keys() }

// BucketInfo describes the bucket as it is now.
func (d *driver) BucketInfo(ctx context.Context) (*storage.BucketInfo, error) {
	s := &serviceDriver{account: d.account}
	return s.BucketInfo(ctx, d.bucket)
}

// PublicRevision is "" for an object that is not public, or not there.
func (d *driver) PublicRevision(ctx context.Context, key string) (string, error) {
	b, err := d.open(ctx)
	if err != nil {
		return "", err
	}
	if err := b.rlock(); err != nil {
		return "", err
	}
	o := b.find(key, 0)
	b.mu.RUnlock()
	if o == nil || !o.public {
		return "", nil
	}
	return o.revisionText(), nil
}

// Now is the account's clock.
func (d *driver) Now() time.Time { return d.account.time() }

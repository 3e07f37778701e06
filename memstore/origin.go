package memstore

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ signedurl.Origin = (*objectDriver)(nil)

// VerifyingKeys returns the keys that verify signed URLs. The account signs with the same keys.
func (d *objectDriver) VerifyingKeys(context.Context) (signedurl.Keys, error) {
	return d.account.keys()
}

// BucketInfo returns the current description of the bucket.
func (d *objectDriver) BucketInfo(ctx context.Context) (*storage.BucketInfo, error) {
	s := &serviceDriver{account: d.account}
	return s.BucketInfo(ctx, d.bucket)
}

// PublicRevision returns the revision of a public object, or "" if there is no object with the key
// or it is not public.
func (d *objectDriver) PublicRevision(ctx context.Context, key string) (string, error) {
	b, err := d.openToRead(ctx)
	if err != nil {
		return "", err
	}
	o := b.live.get(key)
	b.mu.RUnlock()
	if o == nil || !o.public {
		return "", nil
	}
	return o.revisionText(), nil
}

// Now returns the time of the account's clock.
func (d *objectDriver) Now() time.Time { return d.account.time() }

package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ signedurl.Origin = (*objectDriver)(nil)

// VerifyingKeys returns the keys that verify the bucket's signed URLs. It creates no key if the
// bucket has none.
func (d *objectDriver) VerifyingKeys(ctx context.Context) (signedurl.Keys, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return signedurl.Keys{}, err
	}
	defer d.release(store)
	return store.Settings.VerifyingKeys()
}

// BucketInfo returns the bucket's current settings, which another process may have changed.
func (d *objectDriver) BucketInfo(ctx context.Context) (*storage.BucketInfo, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)

	settings, err := store.Settings.Read()
	if err != nil {
		return nil, err
	}
	return settings.Info(d.bucket.Name), nil
}

// PublicRevision returns the revision of a public object, or "" if the object does not exist or is
// not public.
func (d *objectDriver) PublicRevision(ctx context.Context, key string) (string, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(store)
	return store.Objects.PublicRevision(ctx, key)
}

// Now returns the time of Config.Now.
func (d *objectDriver) Now() time.Time { return d.bucket.Clock.Now() }

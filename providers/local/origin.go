package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ signedurl.Origin = (*objectDriver)(nil)

// VerifyingKeys returns the keys of the bucket. If the bucket has no key, it does not create one.
func (d *objectDriver) VerifyingKeys(ctx context.Context) (signedurl.Keys, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return signedurl.Keys{}, err
	}
	defer d.release(s)
	return s.Settings.VerifyingKeys()
}

// BucketInfo returns the bucket's current settings, which another process may have changed.
func (d *objectDriver) BucketInfo(ctx context.Context) (*storage.BucketInfo, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	settings, err := s.Settings.Read()
	if err != nil {
		return nil, err
	}
	return settings.Info(d.bucket.Name), nil
}

// PublicRevision returns the revision of an object. If the object does not exist or is not public,
// it returns "".
func (d *objectDriver) PublicRevision(ctx context.Context, key string) (string, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(s)
	return s.Objects.PublicRevision(ctx, key)
}

// Now returns the time of Config.Now.
func (d *objectDriver) Now() time.Time { return d.bucket.Clock.Now() }

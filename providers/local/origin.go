package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ signedurl.Origin = (*driver)(nil)

// VerifyingKeys leaves a bucket without a secret as it is.
func (d *driver) VerifyingKeys(ctx context.Context) (signedurl.Keys, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return signedurl.Keys{}, err
	}
	defer d.release(s)
	return s.verifyingKeys()
}

// BucketInfo reads the bucket's settings, which another process may have changed.
func (d *driver) BucketInfo(ctx context.Context) (*storage.BucketInfo, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	return settings.info(d.bucket), nil
}

// PublicRevision is "" for an object that is not public, or not there.
func (d *driver) PublicRevision(ctx context.Context, key string) (string, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(s)
	f, a, err := s.openObject(ctx, key, "")
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = f.close() }()
	if a == nil || !a.publicRead {
		return "", nil
	}
	return s.tagOf(f.meta, a).revision(), nil
}

// Now is the clock that Config gave.
func (d *driver) Now() time.Time { return d.clock.now() }

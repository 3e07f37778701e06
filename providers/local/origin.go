package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ signedurl.Origin = (*objectDriver)(nil)

// VerifyingKeys returns the keys of the bucket. It makes no key if there is none.
func (d *objectDriver) VerifyingKeys(ctx context.Context) (signedurl.Keys, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return signedurl.Keys{}, err
	}
	defer d.release(s)
	return s.settings.verifyingKeys()
}

// BucketInfo returns the bucket's settings, which another process may have changed.
func (d *objectDriver) BucketInfo(ctx context.Context) (*storage.BucketInfo, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	settings, err := s.settings.read()
	if err != nil {
		return nil, err
	}
	return settings.info(d.bucket), nil
}

// PublicRevision returns the revision of the object. It returns "" if there is no object,
// or if it is not public.
func (d *objectDriver) PublicRevision(ctx context.Context, key string) (string, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(s)
	f, a, err := s.objects.openObject(ctx, key, "")
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if a == nil || !a.publicRead {
		return "", nil
	}
	return s.reader.tagOf(f.Meta, a).revision(), nil
}

// Now returns the time of the clock of Config.
func (d *objectDriver) Now() time.Time { return d.clock.now() }

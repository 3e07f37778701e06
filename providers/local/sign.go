package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

// Sign signs a URL for the handler of package serve.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignURL, d.bucket, r, d.Now())
}

// SignPart signs a URL of a part for the handler of package serve.
func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignPart, d.bucket, r, d.Now())
}

// SignForm signs a form for the handler of package serve.
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignForm, d.bucket, r, d.Now())
}

func (d *objectDriver) signingKeys(ctx context.Context) (signedurl.Keys, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return signedurl.Keys{}, err
	}
	defer d.release(s)
	return s.settings.signingKeys(ctx)
}

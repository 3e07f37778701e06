package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

// Sign returns a signed URL, which the handler of package serve accepts.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignURL, d.bucket.Name, r, d.Now())
}

// SignPart returns a signed URL for a part, which the handler of package serve accepts.
func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignPart, d.bucket.Name, r, d.Now())
}

// SignForm returns a signed form, which the handler of package serve accepts.
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignForm, d.bucket.Name, r, d.Now())
}

// Vend returns a token with limited rights, which package layers/vended accepts.
func (d *objectDriver) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.Vend, d.bucket.Name, r, d.Now())
}

// signingKeys returns the keys that sign the bucket's URLs, and creates one if the bucket has none.
func (d *objectDriver) signingKeys(ctx context.Context) (signedurl.Keys, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return signedurl.Keys{}, err
	}
	defer d.release(store)
	return store.Settings.SigningKeys(ctx)
}

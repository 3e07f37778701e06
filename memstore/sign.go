package memstore

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

// Sign signs a URL that the handler of package serve accepts. The bucket need not exist yet, as
// with clouds.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignURL, d.bucket, r, d.account.time())
}

// SignPart signs a URL by which one part is uploaded to the handler of package serve.
func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignPart, d.bucket, r, d.account.time())
}

// SignForm signs an upload form that the handler of package serve accepts.
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignForm, d.bucket, r, d.account.time())
}

// Vend returns a token that package layers/vended accepts.
func (d *objectDriver) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.Vend, d.bucket, r, d.account.time())
}

// signingKeys returns the keys with which the account signs requests, unless ctx has ended.
func (d *objectDriver) signingKeys(ctx context.Context) (signedurl.Keys, error) {
	if err := contextErr(ctx); err != nil {
		return signedurl.Keys{}, err
	}
	return d.account.keys()
}

// SigningKeys are secrets of at least 32 random bytes each. The first key signs, and every key
// verifies. So you can put a new key first while links of the old key still work. If a key is
// shorter, signing fails with InvalidArgument. Printing or encoding SigningKeys shows no secret.
//
// Use a key for one bucket, or for the buckets of one service. A signature covers the name of the
// bucket, but nothing else that identifies it. If two buckets with the same name have the same key,
// a link to one also opens the other. All buckets without [Config].Bucket have the same name.
type SigningKeys = signedurl.Secrets

// signingKeys returns a function that returns the keys of the secrets. Without secrets, the function
// makes a random key on its first call, and returns that key ever after.
func signingKeys(secrets SigningKeys) func() (signedurl.Keys, error) {
	if len(secrets) > 0 {
		keys, err := signedurl.NewKeys(secrets)
		return func() (signedurl.Keys, error) { return keys, err }
	}
	return sync.OnceValues(func() (signedurl.Keys, error) {
		return signedurl.NewKeys(SigningKeys{signedurl.NewSecret()})
	})
}

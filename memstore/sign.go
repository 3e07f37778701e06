package memstore

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

// Sign signs a URL for the handler of package serve. As with clouds, the bucket need not
// exist.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignURL, d.bucket, r, d.account.time())
}

// SignPart signs a URL of a part for the handler of package serve.
func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignPart, d.bucket, r, d.account.time())
}

// SignForm signs a form for the handler of package serve.
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return signedurl.SignWith(ctx, d.signingKeys, signedurl.SignForm, d.bucket, r, d.account.time())
}

func (d *objectDriver) signingKeys(ctx context.Context) (signedurl.Keys, error) {
	if err := interrupted(ctx); err != nil {
		return signedurl.Keys{}, err
	}
	return d.account.keys()
}

// SigningKeys are secrets of at least 32 random bytes each. The first one signs, and each
// of them verifies, so that a key can be replaced while its links still work. If a key is
// shorter, signing fails with InvalidArgument. Printing or encoding SigningKeys shows
// nothing.
//
// Use a key for one bucket, or for the buckets of one service. A signature covers the
// name of the bucket, but nothing else that identifies it. If two buckets with the same
// name have the same key, a link to one also opens the other. All buckets without
// [Config].Bucket have the same name.
type SigningKeys = signedurl.Secrets

// signingKeys returns the keys of the secrets. If there are none, it returns a random key
// that is made when it is first needed and lives as long as the account. The account of
// mem:// lives as long as the process.
func signingKeys(secrets SigningKeys) func() (signedurl.Keys, error) {
	if len(secrets) > 0 {
		keys, err := signedurl.NewKeys(secrets)
		return func() (signedurl.Keys, error) { return keys, err }
	}
	return sync.OnceValues(func() (signedurl.Keys, error) {
		return signedurl.NewKeys(SigningKeys{signedurl.NewSecret()})
	})
}

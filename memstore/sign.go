package memstore

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signed"
)

const signFeatures = storage.SignURLs | storage.SignContentType | storage.SignSize | storage.SignIfAbsent | storage.SignForms | storage.SignHead

// Sign signs for the handler of package serve. A bucket that is not there is
// signed for too, as clouds do.
func (d *driver) Sign(ctx context.Context, r *storage.SignRequest) (*storage.SignedURL, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	keys, err := d.account.keys()
	if err != nil {
		return nil, err
	}
	return signed.URL(keys, d.bucket, r, d.account.time())
}

// SignForm signs a form for the handler of package serve.
func (d *driver) SignForm(ctx context.Context, r *storage.SignRequest) (*storage.UploadForm, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	keys, err := d.account.keys()
	if err != nil {
		return nil, err
	}
	return signed.Form(keys, d.bucket, r, d.account.time())
}

// SigningKeys are secrets of 32 random bytes or more each. The first signs; what
// any of them has signed is good, so that one can be replaced while links that it
// signed still work. Signing with a shorter one is InvalidArgument. As text or
// JSON they show nothing.
//
// A key is for one bucket, or for the buckets of one service: what it signs names
// the bucket and nothing more, so that of two buckets of one name with the same
// key each opens the other's links. Without Config.Bucket all have one name.
type SigningKeys = signed.Secrets

// signingKeys are made of the secrets, or else of one that is drawn when it is
// first needed and lives as long as the account: of mem:// as long as the process.
func signingKeys(secrets SigningKeys) func() (signed.Keys, error) {
	if len(secrets) > 0 {
		keys, err := signed.NewKeys(secrets)
		return func() (signed.Keys, error) { return keys, err }
	}
	return sync.OnceValues(func() (signed.Keys, error) {
		return signed.NewKeys(SigningKeys{signed.NewSecret()})
	})
}

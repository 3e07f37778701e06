package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

// SignForm signs a form for the handler of package serve.
func (d *driver) SignForm(ctx context.Context, r *storage.SignRequest) (*storage.SignedForm, error) {
	keys, err := d.signingKeys(ctx)
	if err != nil {
		return nil, err
	}
	return signedurl.SignForm(keys, d.bucket, r, d.account.time())
}

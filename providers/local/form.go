package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

// SignForm signs a form for the handler of package serve.
func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	keys, err := d.signingKeys(ctx)
	if err != nil {
		return nil, err
	}
	return signedurl.SignForm(keys, d.bucket, r, d.Now())
}

package engine

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/effect"
)

// Vend returns temporary credentials with these rights for the objects with a prefix.
func (b bucket) Vend(
	ctx context.Context, prefix string, rights storage.Rights, ttl time.Duration,
) (*storage.VendedCredentials, error) {
	o := &operation{
		signs:   true,
		effects: effect.Vended(rights.Read, rights.List, rights.Write, rights.Remove),
	}
	checkErr := o.prepare(b.engine, "Vend", prefix)
	if checkErr == nil {
		checkErr = b.engine.need(storage.Vending, "Vend")
		if checkErr != nil {
			// The hint says what the configuration of the store lacks.
			checkErr.Hint = b.engine.desc.VendingHint
		}
	}

	req := &driver.VendRequest{
		Prefix: prefix,
		Rights: rights,
		TTL:    ttl,
	}
	return run(ctx, o, checkErr, func(ctx context.Context) (*storage.VendedCredentials, *storage.Error) {
		vended, err := request(ctx, o, func(ctx context.Context) (*storage.VendedCredentials, error) {
			return b.engine.driver.Vend(ctx, req)
		})
		if err != nil {
			return nil, err
		}

		vended.Provider = b.engine.desc.Provider
		vended.Bucket = b.engine.desc.Bucket
		vended.Prefix = prefix
		vended.Expires = vended.Expires.UTC().Truncate(time.Second)
		return vended, nil
	})
}

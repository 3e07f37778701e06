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
	e := o.prepare(b.engine, "Vend", prefix)
	if e == nil {
		e = b.engine.need(storage.Vending, "Vend")
		if e != nil {
			// The hint says what the configuration of the store lacks.
			e.Hint = b.engine.desc.VendingHint
		}
	}

	req := &driver.VendRequest{
		Prefix: prefix,
		Rights: rights,
		TTL:    ttl,
	}
	return run(ctx, o, e, func(ctx context.Context) (*storage.VendedCredentials, *storage.Error) {
		vended, e := request(ctx, o, func(ctx context.Context) (*storage.VendedCredentials, error) {
			return b.engine.driver.Vend(ctx, req)
		})
		if e != nil {
			return nil, e
		}

		vended.Provider = b.engine.desc.Provider
		vended.Bucket = b.engine.desc.Bucket
		vended.Prefix = prefix
		vended.Expires = vended.Expires.UTC().Truncate(time.Second)
		return vended, nil
	})
}

package engine

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/effect"
)

// Vend returns temporary credentials for the objects with a prefix.
func (b bucket) Vend(
	ctx context.Context, prefix string, rights storage.Rights, ttl time.Duration,
) (*storage.VendedCredentials, error) {
	o := &operation{signs: true, effects: effect.Vended(rights.Read, rights.List, rights.Write, rights.Remove)}
	e := o.prepare(b.engine, "Vend", prefix)
	if e == nil {
		e = o.engine.need(storage.Vending, "Vend")
	}
	if e != nil && e.Code == storage.Unsupported {
		e.Hint = o.engine.desc.VendingHint
	}
	r := &driver.VendRequest{Prefix: prefix, Rights: rights, TTL: ttl}
	return run(ctx, o, e, func(ctx context.Context) (*storage.VendedCredentials, *storage.Error) {
		v, e := request(ctx, o, func(ctx context.Context) (*storage.VendedCredentials, error) {
			return o.engine.driver.Vend(ctx, r)
		})
		if e != nil {
			return nil, e
		}
		v.Provider = o.engine.desc.Provider
		v.Bucket = o.engine.desc.Bucket
		v.Prefix = prefix
		v.Expires = v.Expires.UTC().Truncate(time.Second)
		return v, nil
	})
}

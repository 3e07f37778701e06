package engine

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/retentionrule"
)

func (b *bucket) SetRetention(ctx context.Context, key string, r storage.Retention, opts ...storage.RetentionOption) error {
	c := &changeOp{}
	var checked *storage.Error
	if r != (storage.Retention{}) {
		r.Until = retentionrule.RoundUp(r.Until)
		if rule := retentionrule.Check(string(r.Mode), r.Until, time.Now()); rule != "" {
			checked = invalid("retention", rule)
		}
	}
	c.req.Retention = r
	applied := c.given.ApplyRetention(opts...)
	return c.run(ctx, b, "SetRetention", key, storage.ObjectLock, applied, checked, driver.Driver.SetRetention)
}

func (b *bucket) SetLegalHold(ctx context.Context, key string, hold bool, opts ...storage.SetOption) error {
	c := &changeOp{req: driver.ChangeRequest{LegalHold: hold}}
	applied := c.given.Apply(opts...)
	return c.run(ctx, b, "SetLegalHold", key, storage.ObjectLock, applied, nil, driver.Driver.SetLegalHold)
}

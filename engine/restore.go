package engine

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func (b *bucket) Restore(ctx context.Context, key string, opts ...storage.RestoreOption) error {
	c := &changeOp{}
	applied := c.given.ApplyRestore(opts...)
	c.req.RestoreDays, c.req.RestoreTier = c.given.RestoreDays, c.given.RestoreTier
	return c.run(ctx, b, "Restore", key, storage.Restoring, applied, nil, driver.Driver.Restore)
}

package azure

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Compose copies each source as blocks, which have no minimum size.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	if !d.account.canAuthorizeSource() {
		return nil, storage.Unsupported
	}
	if err := d.container.checkLocks(ctx, &r.Controls); err != nil {
		return nil, err
	}
	var ranges []copyRange
	total := &blockList{key: r.Key, properties: &r.Properties, controls: &r.Controls, condition: r.Condition}
	for _, ref := range r.Sources {
		source, err := d.copier.headSource(ctx, ref)
		if err != nil {
			return nil, err
		}
		if source.Size == 0 {
			continue
		}
		if ranges, err = d.copier.split(ranges, source.Size, ref); err != nil {
			return nil, err
		}
		total.size += source.Size
	}
	total.crc = r.CRC32C
	return d.copier.copyRanges(ctx, ranges, total)
}

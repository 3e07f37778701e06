package s3

import (
	"cmp"
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Compose copies each source as one or more parts. If a source other than the last is
// smaller than a part may be, Compose is Unsupported, and the core streams the sources.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	var ranges []copyRange
	short := false // the previous source is too small for a part that is not the last
	for _, source := range r.Sources {
		size, err := d.copier.sizeOf(ctx, source)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			continue
		}
		if short {
			return nil, storage.Unsupported
		}
		short = size < cmp.Or(d.copier.minPart, minPartSize)
		ranges = append(ranges, split(source, size, d.account.profile.rangeLength(size))...)
	}
	if len(ranges) == 0 || len(ranges) > d.account.profile.partsLimit() {
		return nil, storage.Unsupported
	}
	return d.copier.copyRanges(ctx, r, ranges)
}

// rangeLength returns the length of the ranges of a source. They are equal, so that
// none is too small for a part that is not the last.
func (p *Profile) rangeLength(size int64) int64 {
	limit := p.copyLimit()
	n := (size + limit - 1) / limit
	return (size + n - 1) / n
}

package s3

import (
	"context"

	"github.com/omnibucket/storage"
)

// Compose copies each source as one or more parts. If a source other than the last is
// smaller than a part may be, Compose is Unsupported, and the core streams the sources.
func (d *driver) Compose(ctx context.Context, r *storage.ComposeRequest) (*storage.Attrs, error) {
	var ranges []copyRange
	short := false // the previous source is too small for a part that is not the last
	for _, source := range r.Sources {
		size, err := d.sizeOf(ctx, source)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			continue
		}
		if short {
			return nil, storage.Unsupported
		}
		short = size < orDefault(d.minPart, minPartSize)
		ranges = append(ranges, split(source, size, d.rangeLength(size))...)
	}
	if len(ranges) == 0 || len(ranges) > d.profile.partsLimit() {
		return nil, storage.Unsupported
	}
	return d.copyRanges(ctx, r, ranges)
}

// rangeLength returns the length of the ranges of a source. They are equal, so that
// none is too small for a part that is not the last.
func (d *driver) rangeLength(size int64) int64 {
	limit := d.profile.copyLimit()
	n := (size + limit - 1) / limit
	return (size + n - 1) / n
}

package s3

import (
	"context"

	"github.com/omnibucket/storage"
)

// Compose copies each source as a part. Parts but the last have a smallest
// size: sources below it are Unsupported, and streamed by the core.
func (d *driver) Compose(ctx context.Context, r *storage.ComposeRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	var pieces []piece
	short := false // a piece that can be the last only
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
		pieces = append(pieces, cut(source, size, d.pieceOf(size))...)
	}
	if len(pieces) == 0 || len(pieces) > d.profile.partsLimit() {
		return nil, storage.Unsupported
	}
	return d.join(ctx, r, pieces)
}

// pieceOf is the length of equal pieces of a source: none of them is too small
// to stand before another source's.
func (d *driver) pieceOf(size int64) int64 {
	most := d.profile.copyLimit()
	n := (size + most - 1) / most
	return (size + n - 1) / n
}

package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

// Compose joins the sources, all as they are at one moment, and computes the checksum of the result,
// which the request cannot contain.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	b, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := b.sources(r.Sources)
	if err != nil {
		return nil, err
	}

	// Join the sources and the tail of the request.
	chunks := make([][]byte, len(sources), len(sources)+1)
	total := len(r.Tail)
	for i, source := range sources {
		chunks[i] = source.data
		total += len(source.data)
	}
	if len(r.Tail) > 0 {
		chunks = append(chunks, r.Tail)
	}

	data := join(chunks, total)
	checksum := storage.CRC32C{Sum: crc32c.Sum(data), Known: true}
	o := newObject(r.Key, data, r.Properties, &r.Controls, checksum)
	return b.commit(ctx, o, r.Condition, nil)
}

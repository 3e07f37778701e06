package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// Put writes a hidden file with its attributes, and renames it to its place. A reader sees either
// the old object or the new object, each with its own attributes.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	turn, err := bucketdir.Bodies.TakeOrPass(ctx)
	if err != nil {
		return nil, err
	}
	defer bucketdir.Bodies.EndIf(turn)
	s, err := d.acquireNow(ctx)
	if err != nil {
		return nil, err
	}
	defer d.releaseNow(s)
	return s.Objects.Put(ctx, r)
}

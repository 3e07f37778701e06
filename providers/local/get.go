package local

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Head returns the attributes of an object.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return store.Objects.Head(ctx, r)
}

// Get opens an object. The bytes and the attributes come from one open file. A concurrent write
// does not change that file, because it creates a new one.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer d.release(store)
	return store.Objects.Get(ctx, r)
}

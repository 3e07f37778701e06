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

// Get opens an object. The attributes and the bytes come from one open file, which no concurrent write
// changes, because each write creates another file.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer d.release(store)
	return store.Objects.Get(ctx, r)
}

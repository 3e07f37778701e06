package overlay

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An emptyDriver is in place of the old store's with [Config.NewOnly]. It describes itself as the new store does.
type emptyDriver struct{ driver.Driver }

func (emptyDriver) Get(context.Context, *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	return nil, nil, storage.ObjectNotFound
}

func (emptyDriver) Head(context.Context, *driver.GetRequest) (*storage.Attrs, error) {
	return nil, storage.ObjectNotFound
}

func (emptyDriver) List(_ context.Context, r *driver.ListRequest) (*storage.Page, error) {
	return &storage.Page{Entries: r.Entries[:0]}, nil
}

func (emptyDriver) Tags(context.Context, *driver.GetRequest) (map[string]string, error) {
	return nil, storage.ObjectNotFound
}

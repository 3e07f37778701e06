package overlay

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An emptyDriver replaces the old store's driver with [Config.NewOnly]. It describes itself as the new store does.
// All other calls find nothing.
type emptyDriver struct{ driver.Driver }

func (emptyDriver) List(_ context.Context, r *driver.ListRequest) (*storage.Page, error) {
	return &storage.Page{Entries: r.Entries[:0]}, nil
}

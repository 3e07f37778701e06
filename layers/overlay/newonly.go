package overlay

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An emptyDriver is in place of the old store's with [Config.NewOnly]. It describes itself as the new store does. All
// other calls are of a driver that finds nothing.
type emptyDriver struct{ driver.Driver }

func (emptyDriver) List(_ context.Context, r *driver.ListRequest) (*storage.Page, error) {
	return &storage.Page{Entries: r.Entries[:0]}, nil
}

package overlay

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An emptyDriver takes the place of the old store's driver if [Config.NewOnly] is set. It returns
// the description of the new store. Its reads and listings find no objects.
type emptyDriver struct{ driver.Driver }

func (emptyDriver) List(_ context.Context, r *driver.ListRequest) (*storage.Page, error) {
	return &storage.Page{Entries: r.Entries[:0]}, nil
}

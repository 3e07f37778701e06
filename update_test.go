package storage_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// overtaken fails every write as if another writer had been faster.
type overtaken struct {
	storage.Driver
	writes *int
}

func (o overtaken) Put(context.Context, *storage.PutRequest) (*storage.Attrs, error) {
	*o.writes++
	return nil, storage.PreconditionFailed
}

func TestUpdateFailsAfterAThousandConflicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		b := memstore.New(storage.WithLayer(func(d storage.Driver) storage.Driver { return overtaken{d, &writes} }))
		_, err := storage.Update(t.Context(), b, "k", func([]byte, *storage.Attrs) ([]byte, error) { return []byte("x"), nil })
		require.ErrorIs(t, err, storage.Unavailable)
		require.Equal(t, 1001, writes)
	})
}

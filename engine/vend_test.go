package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A hintedStore is a driver without Vend. Its hint tells the user why.
type hintedStore struct{ bareStore }

func (v hintedStore) Describe() driver.Description {
	d := v.bareStore.Describe()
	d.VendingHint = "open it with a key"
	return d
}

// If the store lacks an option of Open, Vend fails like every other call, and does not change the hint of later errors.
func TestVendKeepsHintOfOptionError(t *testing.T) {
	bucket := engine.New(hintedStore{bareStore{memstore.NewDriver(memstore.Config{})}},
		storage.WithVersioning(true))
	_, err := bucket.Attrs(t.Context(), "key")
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	before := hintOf(t, err)

	_, err = storage.Vend(t.Context(), bucket, "prefix/", storage.Rights{Read: true}, time.Hour)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))

	_, err = bucket.Attrs(t.Context(), "key")
	require.Equal(t, before, hintOf(t, err))
}

func hintOf(t *testing.T, err error) string {
	t.Helper()
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	return e.Hint
}

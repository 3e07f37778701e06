package overlay_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLayer(t *testing.T, old storage.Bucket, c overlay.Config) driver.Layer {
	t.Helper()
	layer, err := overlay.New(old, c)
	require.NoError(t, err)
	return layer
}

func TestConformance(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		return newLayer(t, memstore.New(), overlay.Config{})(memstore.NewDriver(memstore.Config{}))
	})
}

var _ = engine.New

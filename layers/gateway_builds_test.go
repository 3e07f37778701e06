package layers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A laggingService has a bucket that is a mirror whose second store lags.
type laggingService struct {
	driver.ServiceDriver
	layer driver.Layer
}

// Driver returns a bucket of the service with the layer of the mirror.
func (s *laggingService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	if err != nil {
		return nil, err
	}
	return s.layer(d), nil
}

// An S3 server over a mirror fails a copy of an object while the primary fails, in place of copying an older
// object of the second store.
func TestServerCopyNeverReadsTheStoreThatLags(t *testing.T) {
	// The second store has an older object than the primary.
	second := memstore.New()
	_, err := second.Upload(t.Context(), "k", strings.NewReader("old"))
	require.NoError(t, err)
	mirrored, err := mirror.New(second, mirror.Config{Probe: time.Nanosecond})
	require.NoError(t, err)

	// The primary is a bucket of an account.
	account := memstore.NewServiceDriver(memstore.ServiceConfig{})
	_, err = account.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos"})
	require.NoError(t, err)
	primary, err := account.Driver("photos")
	require.NoError(t, err)
	_, err = engine.New(primary).Upload(t.Context(), "k", strings.NewReader("new"))
	require.NoError(t, err)

	// The server offers the mirror. The injector can make the primary fail.
	injector := faults.New()
	mirrorWithFaults := func(d driver.Driver) driver.Driver { return mirrored(injector.Layer()(d)) }
	server := newServer(t, &laggingService{account, mirrorWithFaults})
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	b, err := storage.Open(t.Context(), server.Address("photos"), noRetry)
	require.NoError(t, err)
	t.Cleanup(func() { _ = storage.Close(b) })

	// While the primary fails, reads come from the second store, but copies fail.
	injector.Set(faults.Fail(faults.Reads).ForKey("k"))
	data, _, err := storage.ReadAll(t.Context(), b, "k")
	require.NoError(t, err)
	require.Equal(t, "old", string(data))

	for _, key := range []string{"k", "copy"} {
		_, err = storage.Copy(t.Context(), b, key, b, "k", storage.WithContentType("text/x-changed"),
			storage.WithoutAttrs())
		require.ErrorIs(t, err, storage.Unavailable, key)
	}

	// No copy has changed the object.
	injector.Set()
	data, _, err = storage.ReadAll(t.Context(), b, "k")
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
}

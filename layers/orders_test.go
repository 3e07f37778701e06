package layers_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
)

// newCache returns the layer of a cache in a new directory.
func newCache(t *testing.T, c diskcache.Config) driver.Layer {
	t.Helper()
	cache, err := diskcache.Open(filepath.Join(t.TempDir(), "cache"), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cache.Close()) })
	return cache.Layer()
}

// newLimit returns the layer of a limit.
func newLimit(t *testing.T, c limit.Config) driver.Layer {
	t.Helper()
	layer, err := limit.New(c)
	require.NoError(t, err)
	return layer
}

// All layers that change no behavior pass the conformance suite together.
func TestConformance(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	newDriver := func(t *testing.T) driver.Driver {
		highLimits := newLimit(t, limit.Config{
			Bytes:    limit.Constant(limit.Rates{Upload: 1 << 40, Download: 1 << 40}),
			Requests: limit.Requests{Reads: 1e9, Writes: 1e9, Lists: 1e9},
		})
		mirrored, err := mirror.New(memstore.New(), mirror.Config{})
		require.NoError(t, err)
		cached := newCache(t, diskcache.Config{BlockBytes: 7777, Unpinned: true})
		return cached(mirrored(highLimits(memstore.NewDriver(memstore.Config{}))))
	}

	// Each bucket has a server of its files, and signed URLs lead to that server.
	openServed := func(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		opts = append([]storage.OpenOption{storage.WithSigningBaseURL(server.URL + "/files")}, opts...)
		b := engine.New(d, opts...)
		mux.Handle("/files/", serve.NewHandler(b))
		return b
	}
	storagetest.RunDriver(t, newDriver, storagetest.WithOpener(openServed))
}

// The limit layer does not delay reads that the cache serves.
func TestLimitIgnoresReadsFromCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The limits let a read of the store take ten seconds, and make the next one wait ten
		// seconds before its request.
		const rate, size = 1 << 10, 10 << 10
		slow := newLimit(t, limit.Config{
			Bytes:    limit.Constant(limit.Rates{Download: rate}),
			Requests: limit.Requests{Reads: 0.1},
		})
		cache := newCache(t, diskcache.Config{TrustFor: time.Hour})
		b := memstore.New(driver.WithLayer(slow), driver.WithLayer(cache))
		attrs, err := b.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("a", size)))
		require.NoError(t, err)

		timeToRead := func() time.Duration {
			start := time.Now()
			_, _, err := storage.ReadAll(t.Context(), b, "a", storage.IfRevision(attrs.Revision))
			require.NoError(t, err)
			return time.Since(start)
		}
		const tolerance = time.Second
		require.GreaterOrEqual(t, timeToRead(), size/rate*time.Second-tolerance, "from the store")
		require.Zero(t, timeToRead(), "from the cache")
	})
}

// The limit layer does not delay a write that is refused.
func TestLimitIgnoresRefusedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := newLimit(t, limit.Config{Requests: limit.Requests{Writes: 0.001}})
		b := memstore.New(driver.WithLayer(slow), driver.WithLayer(readonly.New(readonly.Config{})))

		start := time.Now()
		for range 3 {
			require.ErrorIs(t, b.Remove(t.Context(), "a"), storage.PermissionDenied)
		}
		require.Zero(t, time.Since(start))
	})
}

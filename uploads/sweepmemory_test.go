package uploads_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// Orphans, which looks for objects that no upload needs, takes no more memory if there are many open uploads.
func TestOrphansMemoryOfOpenUploads(t *testing.T) {
	const openUploads = 20_000
	const maxGrowth = 2 << 20 // bytes

	// Measure the heap when the last of the states is read.
	var reads atomic.Int64
	var atLastRead uint64 // bytes of the heap
	bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Get" && reads.Add(1) == openUploads {
				atLastRead = heapInUse()
			}
			return next(ctx)
		})
	}))

	// Begin one upload, and copy its state under many keys.
	s := newSessionSite(t, bucket, uploads.Config{
		Rules:   rules.Rules{Types: rules.Pictures()},
		Records: uploads.BucketRecords(memstore.New()),
		Key:     "files/{id}{ext}",
	})
	resp := s.post(alice, "/s3/multipart", map[string]any{"filename": "a.png"})
	require.Equal(t, http.StatusOK, resp.StatusCode)

	_, states := s.keys()
	state, _, err := storage.ReadAll(t.Context(), bucket, states[0])
	require.NoError(t, err)

	for i := range openUploads {
		key := fmt.Sprintf("%s%040x/state.json", uploads.DefaultPrefix, i)
		_, err := bucket.Upload(t.Context(), key, bytes.NewReader(state))
		require.NoError(t, err)
	}

	// Compare the heap before Orphans with that at the last read.
	reads.Store(0)
	before := heapInUse()
	orphans, err := s.handler.Orphans(t.Context(), "files/another")
	require.NoError(t, err)
	require.Equal(t, []string{"files/another"}, orphans)
	require.NotZero(t, atLastRead, "Orphans has not read the states")
	growth := int64(atLastRead) - int64(before)
	require.Less(t, growth, int64(maxGrowth))
}

// heapInUse returns how many bytes of the heap are in use after a garbage collection.
func heapInUse() uint64 {
	// A sync.Pool drops its objects only in the second collection.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

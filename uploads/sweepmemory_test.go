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

// The memory that Orphans needs does not grow with the number of open uploads.
func TestOrphansMemoryOfOpenUploads(t *testing.T) {
	const open, most = 20_000, 2 << 20
	var reads atomic.Int64
	var last uint64 // bytes of the heap
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Get" && reads.Add(1) == open {
				last = heapInUse()
			}
			return next(ctx)
		})
	}))

	s := newSessionSite(t, b, uploads.Config{Rules: rules.Rules{Types: rules.Pictures()}, Records: uploads.BucketRecords(memstore.New()), Key: "files/{id}{ext}"})
	require.Equal(t, http.StatusOK, s.post(alice, "/s3/multipart", map[string]any{"filename": "a.png"}).StatusCode)
	_, states := s.keys()
	state, _, err := storage.ReadAll(t.Context(), b, states[0])
	require.NoError(t, err)
	for i := range open {
		_, err := b.Upload(t.Context(), fmt.Sprintf("%s%040x/state.json", uploads.DefaultPrefix, i), bytes.NewReader(state))
		require.NoError(t, err)
	}

	reads.Store(0)
	first := heapInUse()
	orphans, err := s.handler.Orphans(t.Context(), "files/another")
	require.NoError(t, err)
	require.Equal(t, []string{"files/another"}, orphans)
	require.Less(t, int64(last)-int64(first), int64(most))
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // for what a sync.Pool has
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

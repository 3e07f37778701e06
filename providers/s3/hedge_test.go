package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Hedged reads finish in time, with at most 5 percent more requests, if a server stalls one in
// fifty responses. A hedged read sends a second request if the first one is slow.
func TestHedgedReads(t *testing.T) {
	const (
		readers        = 8
		readsPerReader = 100
		reads          = readers * readsPerReader
		warmup         = 100 // the first requests, none of which stalls
		stalledOneIn   = 50
		stall          = 10 * time.Second
	)
	var requests, canceled, stalled atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); n%stalledOneIn == 0 && n > warmup {
			select {
			case <-r.Context().Done():
				canceled.Add(1)
				return
			case <-time.After(stall):
				stalled.Add(1)
			}
		}
		w.Header().Set("ETag", etag)
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		_, _ = io.WriteString(w, "content")
	}))
	t.Cleanup(server.Close)
	standIn := &standIn{&wiretest.Server{Server: server}}
	b := engine.New(standIn.openDriver(t, "aws"), storage.WithHedgedReads())

	// All reads return the content.
	var group sync.WaitGroup
	for range readers {
		group.Go(func() {
			for range readsPerReader {
				content, _, err := storage.ReadAll(t.Context(), b, "k")
				if err != nil || string(content) != "content" {
					t.Errorf("read %q: %v", content, err)
				}
			}
		})
	}
	group.Wait()

	// At most one read in twenty has a second request.
	require.LessOrEqual(t, requests.Load(), int64(reads+reads/20))
	require.Greater(t, canceled.Load(), stalled.Load(), "the second request must usually win")
}

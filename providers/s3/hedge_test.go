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

// Reads with WithHedgedReads, which sends a second request if the first one is slow, need at most 5 percent
// more requests, and usually do not wait for a server that stalls one in fifty responses.
func TestHedgedReads(t *testing.T) {
	const (
		readers        = 8
		readsPerReader = 100
		reads          = readers * readsPerReader
		warmup         = 100 // the first requests, none of which stalls
		stalledOneIn   = 50
		stall          = 10 * time.Second
	)

	// After the warm-up, the server stalls each fiftieth response. It counts the stalled requests that
	// the client cancels and those that it waits for.
	var requests, canceled, waitedFor atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := requests.Add(1)
		isStalled := number%stalledOneIn == 0 && number > warmup
		if isStalled {
			select {
			case <-r.Context().Done():
				canceled.Add(1)
				return
			case <-time.After(stall):
				waitedFor.Add(1)
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
	require.Greater(t, canceled.Load(), waitedFor.Load(), "the second request must usually win")
}

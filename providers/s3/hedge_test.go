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

// WithHedgedReads sends a second request if the first one is slow. Reads then need at most 5
// percent more requests. They usually do not wait for a server that stalls one in fifty responses.
func TestHedgedReads(t *testing.T) {
	const (
		readers        = 8
		readsPerReader = 100
		reads          = readers * readsPerReader
	)
	handler := &stallingHandler{}
	server := httptest.NewServer(handler)
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

	// At most one read in twenty sends a second request.
	require.LessOrEqual(t, handler.requests.Load(), int64(reads+reads/20))
	require.Greater(t, handler.canceled.Load(), handler.waitedFor.Load(), "the second request must usually win")
}

// A stallingHandler answers each request with "content". After the first hundred requests, it stalls each fiftieth
// response for ten seconds.
type stallingHandler struct {
	requests  atomic.Int64
	canceled  atomic.Int64 // stalled requests that the client has canceled
	waitedFor atomic.Int64 // stalled requests whose responses the client has waited for
}

func (h *stallingHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const warmup, stalledOneIn = 100, 50
	number := h.requests.Add(1)
	isStalled := number%stalledOneIn == 0 && number > warmup
	if isStalled {
		select {
		case <-r.Context().Done():
			h.canceled.Add(1)
			return
		case <-time.After(10 * time.Second):
			h.waitedFor.Add(1)
		}
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
	_, _ = io.WriteString(w, "content")
}

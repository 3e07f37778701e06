package uploads_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

var documentHeaders = headers{"Content-Type": "application/json"}

// JSON documents that arrive slowly count against Config.MemoryLimit, because the service holds them in memory.
func TestMemoryLimitOfSlowDocuments(t *testing.T) {
	const (
		documentBytes = 4 << 20
		connections   = 64  // of the slow user, with one document each
		maxBodies     = 512 // number of request bodies that fit into memory
		memoryBytes   = maxBodies * uploads.FeedBytes
	)
	synctest.Test(t, func(t *testing.T) {
		// The documents together are larger than the memory limit. A request that finds no memory
		// fails at once.
		s := newSynctestSite(t, memstore.New(), uploads.Config{})
		const waitForMemory = 0
		s.handler.SetFeeds(maxBodies, waitForMemory)

		// The slow user sends half of each document, and then nothing until done is closed.
		done := make(chan struct{})
		var slow sync.WaitGroup
		for range connections {
			slow.Go(func() {
				half := strings.NewReader(`{"parts": [{"ETag": "` + strings.Repeat("a", documentBytes/2))
				body := io.MultiReader(half, eofAfter(done))
				_, _ = s.try(t.Context(), "slow", "POST", "/s3/multipart/x/complete", body, documentHeaders)
			})
		}
		synctest.Wait()

		// The documents use memory, but not more than the limit.
		bytesUsed := s.handler.FeedsUsed()
		require.NotZero(t, bytesUsed)
		require.LessOrEqual(t, bytesUsed, int64(memoryBytes))

		// Another user completes an upload meanwhile.
		u := s.beginMultipart(map[string]any{"filename": "a"})
		part := u.sendPart(1, content(1000))
		require.Equal(t, http.StatusOK, u.complete(part).StatusCode)

		// After the slow requests have ended, no memory is in use.
		close(done)
		slow.Wait()
		require.Zero(t, s.handler.FeedsUsed())
	})
}

// A completion that lists too many parts is refused before the whole list is in memory.
func TestCompleteRefusesTooManyParts(t *testing.T) {
	const (
		tooManyParts  = 50_001
		maxAllocation = 40 << 20 // bytes
	)
	s := newSessionSite(t, memstore.New(), uploads.Config{})

	numbered := make([]string, tooManyParts)
	for i := range numbered {
		numbered[i] = fmt.Sprintf(`{"PartNumber":%d}`, i+1)
	}
	tests := []struct {
		name  string
		parts string // elements of a JSON array
	}{
		{name: "numbered parts, just too many", parts: strings.Join(numbered, ",")},
		{name: "empty parts, more than a million", parts: strings.Repeat("{},", 1_300_000) + "{}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t // the helpers of s fail this subtest
			u := s.beginMultipart(map[string]any{"filename": tt.name})
			body := `{"parts": [` + tt.parts + `]}`

			// Measure how much memory is allocated while the body is refused.
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			resp := s.do(alice, "POST", u.path("/complete"), strings.NewReader(body), documentHeaders)
			runtime.ReadMemStats(&after)

			require.Equal(t, "400 invalid_request", resp.refusal(t))
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(maxAllocation))
		})
	}
}

package uploads_test

import (
	"fmt"
	"io"
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

// The service holds a JSON document in memory until it is complete, so documents that arrive slowly count against
// Config.MemoryLimit.
func TestMemoryLimitOfSlowDocuments(t *testing.T) {
	const length = 4 << 20
	synctest.Test(t, func(t *testing.T) {
		s := newSiteOnPipes(t, memstore.New(), uploads.Config{})
		s.handler.SetFeeds(512, 0)
		done := make(chan struct{})
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				body := io.MultiReader(strings.NewReader(`{"parts": [{"ETag": "`+strings.Repeat("a", length/2)), &until{done})
				_, _ = s.try(t.Context(), "slow", "POST", "/s3/multipart/x/complete", body, documentHeaders)
			})
		}
		synctest.Wait()
		require.NotZero(t, s.handler.FeedsUsed())
		require.LessOrEqual(t, s.handler.FeedsUsed(), int64(512*uploads.FeedBytes))

		u := s.begin(map[string]any{"filename": "a"})
		part := u.send(1, content(1000))
		require.Equal(t, 200, u.complete(part).StatusCode, "another user completes meanwhile")

		close(done)
		all.Wait()
		require.Zero(t, s.handler.FeedsUsed())
	})
}

// A completion that lists more parts than a store takes is refused before the whole list is decoded into memory.
func TestCompleteRefusesTooManyParts(t *testing.T) {
	s := newSessionSite(t, memstore.New(), uploads.Config{})
	var numbered strings.Builder
	for i := range 50_001 {
		_, _ = fmt.Fprintf(&numbered, `,{"PartNumber":%d}`, i+1)
	}
	for name, parts := range map[string]string{
		"numbered": numbered.String()[1:],
		"empty":    strings.Repeat("{},", 1_300_000) + "{}",
	} {
		t.Run(name, func(t *testing.T) {
			u := s.begin(map[string]any{"filename": name})
			body := `{"parts": [` + parts + `]}`
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := s.do(alice, "POST", u.path("/complete"), strings.NewReader(body), documentHeaders)
			runtime.ReadMemStats(&after)

			require.Equal(t, "400 invalid_request", a.refusal(t))
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40<<20))
		})
	}
}

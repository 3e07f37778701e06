package uploads_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// patchAndStall sends a PATCH whose body does not end. The channel gets the response.
func (s *sessionSite) patchAndStall(at string, stuck *stuckBody) <-chan *answer {
	answers := make(chan *answer, 1)
	go func() {
		a, _ := s.try(s.t.Context(), alice, "PATCH", at, stuck, headers{
			"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0",
		})
		answers <- a
	}()
	<-stuck.sent
	return answers
}

// A client that still sends gets the response of a refusal at once.
func TestTusRefusesBeforeTheBodyEnds(t *testing.T) {
	for _, row := range []struct {
		name   string
		send   int // bytes, of 1000
		refuse func(s *sessionSite, at string, stop func())
		want   string
		offset int64
	}{
		{"because another request continues", 300, func(s *sessionSite, at string, _ func()) { require.EqualValues(s.t, 300, s.offset(at)) }, "423 locked Upload-Offset", 300},
		{"because the server stops", 300, func(_ *sessionSite, _ string, stop func()) { stop() }, "503 interrupted file", 300},
		{"because there are too many bytes", 1001, func(*sessionSite, string, func()) {}, "413 too_large body", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSiteOnPipes(t, memstore.New(), uploads.Config{})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				server := s.serveOnPipes(ctx)
				at := s.create("Upload-Length", "1000")
				stuck := newStuckBody(content(row.send))
				defer stuck.end()
				answers := s.patchAndStall(at, stuck)
				synctest.Wait() // the server has read what was sent, and waits for more
				began := time.Now()
				row.refuse(s, at, func() {
					cancel()
					require.NoError(t, server.Shutdown(t.Context()))
				})
				require.Equal(t, row.want, (<-answers).refusal(t))
				require.Less(t, time.Since(began), 4*time.Second)
				s.serveOnPipes(context.Background())
				require.Equal(t, row.offset, s.offset(at))
				s.patch(at, row.offset, content(1000)[row.offset:], 1000)
				s.stored("files/alice/file", content(1000))
			})
		})
	}
}

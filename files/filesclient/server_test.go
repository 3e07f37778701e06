package filesclient_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/filesclient"
	"github.com/omnibucket/storage/memstore"
)

// A server is a handler with faults before it.
type server struct {
	store  *files.Store
	client *filesclient.Client
	url    string

	mu     sync.Mutex
	number int
	waited []time.Duration
}

// meddle is called before the n-th request, counted from 1, reaches the handler. It
// returns true if it has responded.
func newServer(t *testing.T, meddle func(n int, w http.ResponseWriter, r *http.Request, next http.Handler) bool) *server {
	t.Helper()
	bucket := memstore.New()
	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{})
	require.NoError(t, err)
	handler, err := files.Handler(store, files.HandlerConfig{Authorize: func(*http.Request) (string, error) { return "user-1", nil }})
	require.NoError(t, err)
	s := &server{store: store}
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if meddle == nil || !meddle(s.next(), w, r, handler) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(listening.Close)
	s.url = listening.URL
	s.client, err = filesclient.New(listening.URL, listening.Client())
	require.NoError(t, err)
	s.client.SetWait(func(ctx context.Context, d time.Duration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waited = append(s.waited, d)
		return ctx.Err()
	})
	return s
}

func (s *server) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	return s.number
}

// holds checks that the server has the file.
func (s *server) holds(t *testing.T, record *files.Record, name string, content []byte) {
	t.Helper()
	require.NotNil(t, record)
	require.Equal(t, name, record.OriginalFileName)
	r, _, err := s.store.Download(t.Context(), record.ID)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.True(t, bytes.Equal(content, got), "%d bytes are not the %d that were sent", len(got), len(content))
	all, err := s.store.List(t.Context(), files.ListFilter{}, "", 10)
	require.NoError(t, err)
	require.Len(t, all.Records, 1, "one file")
}

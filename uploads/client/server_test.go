package client_test

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

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/rules"
)

// A server is a handler with faults before it.
type server struct {
	service *uploads.Service
	client  *filesclient.Client
	url     string

	mu     sync.Mutex
	number int
	waited []time.Duration
}

// meddle is called before the n-th request, counted from 1, reaches the handler. It
// returns true if it has responded.
func newServer(t *testing.T, meddle func(n int, w http.ResponseWriter, r *http.Request, next http.Handler) bool) *server {
	t.Helper()
	bucket := memstore.New()
	service, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(0), Records: uploads.BucketRecords(bucket)})
	require.NoError(t, err)
	handler, err := filesapi.New(service, filesapi.Config{Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "user-1"}, nil }})
	require.NoError(t, err)
	s := &server{service: service}
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
func (s *server) holds(t *testing.T, record *filesapi.Record, name string, content []byte) {
	t.Helper()
	require.NotNil(t, record)
	require.Equal(t, name, record.OriginalFileName)

	r, _, err := s.service.Download(t.Context(), record.ID)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.True(t, bytes.Equal(content, got), "%d bytes are not the %d that were sent", len(got), len(content))

	all, _, err := s.service.Records().IDs(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, all, 1, "one file")
}

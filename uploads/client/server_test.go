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

// A server runs a handler. An interceptor before the handler can make requests fail.
type server struct {
	service *uploads.Service
	client  *filesclient.Client
	url     string

	mu       sync.Mutex
	requests int             // that have reached the server
	waits    []time.Duration // of the client, before it repeated a request
}

// An interceptor gets each request before the handler, which is next. n is the number of the request, counted from 1.
// The interceptor returns true if it has responded.
type interceptor func(n int, w http.ResponseWriter, r *http.Request, next http.Handler) bool

// newServer starts a server whose requests go through an interceptor, which may be nil.
func newServer(t *testing.T, intercept interceptor) *server {
	t.Helper()
	bucket := memstore.New()
	service, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(0), Records: uploads.BucketRecords(bucket)})
	require.NoError(t, err)
	authorize := func(*http.Request) (uploads.User, error) { return uploads.User{ID: "user-1"}, nil }
	handler, err := filesapi.New(service, filesapi.Config{Authorize: authorize})
	require.NoError(t, err)

	s := &server{service: service}
	httpServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if intercept == nil || !intercept(s.next(), w, r, handler) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(httpServer.Close)

	s.url = httpServer.URL
	s.client, err = filesclient.New(httpServer.URL, httpServer.Client())
	require.NoError(t, err)

	s.client.SetWait(func(ctx context.Context, d time.Duration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waits = append(s.waits, d)
		return ctx.Err()
	})
	return s
}

// next counts a request, and returns its number.
func (s *server) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return s.requests
}

// requireFile requires that the server has this file, and no other one.
func (s *server) requireFile(t *testing.T, record *filesapi.Record, name string, content []byte) {
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

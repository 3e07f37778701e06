package transport

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/localfile"
)

// The transport opens at most half as many connections to a host as the process may open files.
func TestConnectionsAreHalfOfTheOpenFiles(t *testing.T) {
	files, ok := localfile.OpenLimit()
	if !ok {
		t.Skip("the system has no such limit")
	}
	limit := New(Options{}).base.(*http.Transport).MaxConnsPerHost
	require.Equal(t, max(1, int(files/2)), limit)
}

// If there are more requests than connections may be open, requests wait for a connection without
// counting as stalled.
func TestConnectionsAreWaitedFor(t *testing.T) {
	const requests, limit = 1_000, 8
	synctest.Test(t, func(t *testing.T) {
		// The server takes a second for a request, and counts how many it serves at the same time.
		var mu sync.Mutex
		open, peak := 0, 0
		tr := newPipeTransport(t, func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) {
			mu.Lock()
			open++
			peak = max(peak, open)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			open--
			mu.Unlock()
			w.WriteHeader(http.StatusNoContent)
		})
		tr.base.(*http.Transport).MaxConnsPerHost = limit

		// All requests begin at once. Each takes a second, so that the last of 1,000 requests over 8
		// connections waits for two minutes.
		errs := make([]error, requests)
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() {
				response, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodGet, storeURL, nil))
				if err == nil {
					err = response.Body.Close()
				}
				errs[i] = err
			})
		}
		wg.Wait()

		for _, err := range errs {
			require.NoError(t, err)
		}
		require.Equal(t, limit, peak)
	})
}

// If the process can open no file for a connection, the request does not count as sent.
func TestConnectionsWithoutAFile(t *testing.T) {
	tr := New(Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, fmt.Errorf("socket: %w", syscall.EMFILE)
	}})
	_, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, storeURL, nil))
	require.ErrorIs(t, err, syscall.EMFILE)
	require.False(t, Sent(err))
}

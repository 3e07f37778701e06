package webhook

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// If a webhook fails, the event is sent again.
func TestWebhookRetries(t *testing.T) {
	tests := []struct {
		name      string
		failures  int // of the first attempts
		events    int
		requests  int
		lost      int64
		downAtEnd bool
	}{
		{name: "it works", events: 2, requests: 2},
		{name: "it fails twice", failures: 2, events: 2, requests: 4},
		{name: "it fails three times", failures: 3, events: 2, requests: 4, lost: 1},
		{name: "it stays down", failures: 100, events: 3, requests: 5, lost: 3, downAtEnd: true},
		{name: "it fails four times", failures: 4, events: 3, requests: 5, lost: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if requests <= tt.failures {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			defer server.Close()
			w := New(server.URL)
			w.pause = 0
			for i := range tt.events {
				w.send(t.Context(), []byte(strconv.Itoa(i)))
			}

			require.Equal(t, tt.requests, requests)
			require.Equal(t, tt.lost, w.LostEvents())
			require.Equal(t, tt.downAtEnd, w.isDown)
		})
	}
}

// If a webhook responds with a redirect, the server does not follow it.
func TestWebhookIsNotRedirected(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		elsewhere++
	}))
	defer other.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect} {
		server := httptest.NewServer(http.RedirectHandler(other.URL, status))
		w := New(server.URL)
		w.pause = 0
		w.send(t.Context(), []byte("event"))
		server.Close()
		require.Equal(t, int64(1), w.LostEvents(), status)
		require.Zero(t, elsewhere, status)
	}
}

// The queue of events for a webhook has a limit.
func TestWebhookQueueIsBounded(t *testing.T) {
	w := New("http://127.0.0.1:1")
	for range webhookQueue + 5 {
		w.Push([]byte("x"))
	}
	require.Equal(t, int64(5), w.LostEvents())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.flush(ctx, nil)
	require.Equal(t, int64(webhookQueue+5), w.LostEvents())
}

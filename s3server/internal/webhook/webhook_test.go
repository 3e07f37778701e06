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
	for name, test := range map[string]struct {
		failures  int // of the first attempts
		events    int
		requests  int
		lost      int64
		downAtEnd bool
	}{
		"it works":             {0, 2, 2, 0, false},
		"it fails twice":       {2, 2, 4, 0, false},
		"it fails three times": {3, 2, 4, 1, false},
		"it stays down":        {100, 3, 5, 3, true},
		"it fails four times":  {4, 3, 5, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if requests <= test.failures {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			defer server.Close()
			w := New(server.URL)
			w.pause = 0
			for i := range test.events {
				w.send(t.Context(), []byte(strconv.Itoa(i)))
			}
			require.Equal(t, test.requests, requests)
			require.Equal(t, test.lost, w.LostEvents())
			require.Equal(t, test.downAtEnd, w.down)
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

package webhook

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// A webhook attempts to send an event three times. It then counts the event as lost, and attempts
// each later event only once until one arrives.
func TestWebhookRetries(t *testing.T) {
	tests := []struct {
		name          string
		failures      int // the number of first requests that fail
		events        int
		wantRequests  int   // all attempts together
		wantLost      int64 // events
		wantDownAtEnd bool  // whether the last event was lost
	}{
		{name: "it never fails", events: 2, wantRequests: 2},
		{name: "it fails twice", failures: 2, events: 2, wantRequests: 4},
		// The webhook makes three attempts for the first event, and one for each later event.
		{name: "it fails three times", failures: 3, events: 2, wantRequests: 4, wantLost: 1},
		{name: "it stays down", failures: 100, events: 3, wantRequests: 5, wantLost: 3, wantDownAtEnd: true},
		{name: "it fails four times", failures: 4, events: 3, wantRequests: 5, wantLost: 2},
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

			require.Equal(t, tt.wantRequests, requests)
			require.Equal(t, tt.wantLost, w.LostEvents())
			require.Equal(t, tt.wantDownAtEnd, w.isDown)
		})
	}
}

// If the receiver responds with a redirect, the webhook does not follow it, and the event is lost.
func TestWebhookIsNotRedirected(t *testing.T) {
	followed := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		followed++
	}))
	defer target.Close()

	for _, status := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			server := httptest.NewServer(http.RedirectHandler(target.URL, status))
			defer server.Close()

			w := New(server.URL)
			w.pause = 0
			w.send(t.Context(), []byte("event"))

			require.Equal(t, int64(1), w.LostEvents())
			require.Zero(t, followed)
		})
	}
}

// Events are lost if the queue is full. Events that still wait when a flush fails are lost, too.
func TestWebhookQueueIsBounded(t *testing.T) {
	const excess = 5
	w := New("http://127.0.0.1:1")
	for range webhookQueue + excess {
		w.Push([]byte("x"))
	}
	require.Equal(t, int64(excess), w.LostEvents())

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	w.flush(canceled, nil)
	require.Equal(t, int64(webhookQueue+excess), w.LostEvents())
}

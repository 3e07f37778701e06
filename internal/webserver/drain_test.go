package webserver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/webserver"
)

// A slowBody is a body that returns one byte in 5 seconds, and never ends. It is also the ResponseWriter of its
// connection, so that SetReadDeadline can end a Read.
type slowBody struct {
	*httptest.ResponseRecorder
	expired chan struct{} // gets a value for each deadline that has passed
}

// Read returns one byte after 5 seconds, unless its deadline has passed.
func (b *slowBody) Read([]byte) (int, error) {
	select {
	case <-time.After(5 * time.Second):
		return 1, nil
	case <-b.expired:
		return 0, os.ErrDeadlineExceeded
	}
}

// SetReadDeadline ends a Read if the deadline has passed. It does nothing for a later one.
func (b *slowBody) SetReadDeadline(end time.Time) error {
	if !end.After(time.Now()) {
		b.expired <- struct{}{}
	}
	return nil
}

// Refuse reads the rest of the request's body, for a limited number of bytes and a limited time, so that the
// client can read the response. If bytes remain, it closes the connection.
func TestRefuse(t *testing.T) {
	// A slowBody delivers a byte in 5 seconds, and never ends. A deadline ends its Read.
	tests := map[string]struct {
		body          io.Reader // nil for a slowBody
		hidesDeadline bool      // whether a middleware hides SetReadDeadline
		canceled      bool      // whether the context is done

		wantResponse time.Duration // time until the response
		wantReturn   time.Duration // time until Refuse returns
		wantClosed   bool          // whether the connection is closed
	}{
		"a short body is read to its end": {body: strings.NewReader("text")},
		"a long body is cut off": {
			body:       strings.NewReader(strings.Repeat("x", 100)),
			wantClosed: true,
		},
		"a body that fails is cut off": {
			body:       iotest.ErrReader(io.ErrUnexpectedEOF),
			wantClosed: true,
		},
		"a body whose Read a deadline has ended stays open, for a while": {
			body:       iotest.ErrReader(os.ErrDeadlineExceeded),
			wantReturn: 500 * time.Millisecond,
			wantClosed: true,
		},
		"a slow body is read after the response, for a while": {
			wantResponse: 200 * time.Millisecond,
			wantReturn:   30 * time.Second,
			wantClosed:   true,
		},
		"a slow body is not read any more if the context is done": {wantClosed: true, canceled: true},
		"a slow body comes first if a middleware hides the deadline": {
			wantResponse:  30 * time.Second,
			wantReturn:    30 * time.Second,
			wantClosed:    true,
			hidesDeadline: true,
		},
		"a slow body is not read first if the context is done": {
			wantClosed:    true,
			hidesDeadline: true,
			canceled:      true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.canceled {
					cancel()
				}

				// The slowBody is also the ResponseWriter, and records the response. Without it, there is no
				// SetReadDeadline.
				slow := &slowBody{
					ResponseRecorder: httptest.NewRecorder(),
					expired:          make(chan struct{}),
				}
				body := tt.body
				if body == nil {
					body = slow
				}
				w := http.ResponseWriter(slow)
				if tt.hidesDeadline {
					w = slow.ResponseRecorder
				}

				// Measure when Refuse responds, and when it returns.
				start := time.Now()
				responseTime := time.Duration(-1) // no response yet
				respond := func() {
					responseTime = time.Since(start)
					w.WriteHeader(http.StatusUnauthorized)
				}
				const maxDrained = 10 // bytes
				webserver.Refuse(ctx, w, body, maxDrained, respond)
				require.Equal(t, tt.wantResponse, responseTime)
				require.Equal(t, tt.wantReturn, time.Since(start))
				require.Equal(t, tt.wantClosed, slow.Result().Header.Get("Connection") == "close")
				require.Equal(t, http.StatusUnauthorized, slow.Code)

				if tt.hidesDeadline {
					time.Sleep(time.Minute) // the last Read is not ended
				}
			})
		})
	}
}

// If reading the body panics, the panic reaches the handler.
func TestRefusePassesOnPanics(t *testing.T) {
	require.PanicsWithValue(t, "broken", func() {
		webserver.Refuse(t.Context(), httptest.NewRecorder(), panicReader{}, 10, func() {})
	})
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("broken") }

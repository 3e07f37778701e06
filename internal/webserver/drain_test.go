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

// A slowBody returns one byte in 5 seconds, and never ends. It is also the response, whose connection
// has a deadline.
type slowBody struct {
	*httptest.ResponseRecorder
	moved chan struct{} // the deadline
}

func (b *slowBody) Read([]byte) (int, error) {
	select {
	case <-time.After(5 * time.Second):
		return 1, nil
	case <-b.moved:
		return 0, os.ErrDeadlineExceeded
	}
}

func (b *slowBody) SetReadDeadline(end time.Time) error {
	if !end.After(time.Now()) {
		b.moved <- struct{}{}
	}
	return nil
}

func TestRefuse(t *testing.T) {
	slow := func() *slowBody {
		return &slowBody{ResponseRecorder: httptest.NewRecorder(), moved: make(chan struct{})}
	}
	tests := map[string]struct {
		body     io.Reader     // nil: slow
		after    time.Duration // until the response
		takes    time.Duration
		closes   bool
		hidden   bool
		canceled bool
	}{
		"a short body is read to its end":                                {body: strings.NewReader("text")},
		"a long body is cut off":                                         {body: strings.NewReader(strings.Repeat("x", 100)), closes: true},
		"a body that fails is cut off":                                   {body: iotest.ErrReader(io.ErrUnexpectedEOF), closes: true},
		"a body whose Read a deadline has ended stays open, for a while": {body: iotest.ErrReader(os.ErrDeadlineExceeded), takes: 500 * time.Millisecond, closes: true},
		"a slow body is read after the response, for a while":            {after: 200 * time.Millisecond, takes: 30 * time.Second, closes: true},
		"a slow body is not read any more if the context is done":        {closes: true, canceled: true},
		"a slow body comes first if a middleware hides the deadline":     {after: 30 * time.Second, takes: 30 * time.Second, closes: true, hidden: true},
		"not if the context is done":                                     {closes: true, hidden: true, canceled: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.canceled {
					cancel()
				}
				wire := slow()
				start := time.Now()
				delay := time.Duration(-1)
				w := http.ResponseWriter(wire)
				body := tt.body
				if body == nil {
					body = wire
				}
				if tt.hidden {
					w = wire.ResponseRecorder
				}

				webserver.Refuse(ctx, w, body, 10, func() {
					delay = time.Since(start)
					w.WriteHeader(http.StatusUnauthorized)
				})
				require.Equal(t, tt.after, delay)
				require.Equal(t, tt.takes, time.Since(start))
				require.Equal(t, tt.closes, wire.Result().Header.Get("Connection") == "close")
				require.Equal(t, http.StatusUnauthorized, wire.Code)

				if tt.hidden {
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

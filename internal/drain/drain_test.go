package drain_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/drain"
)

// A slowReader returns one byte in 5 seconds, and never ends.
type slowReader struct{}

func (*slowReader) Read([]byte) (int, error) {
	time.Sleep(5 * time.Second)
	return 1, nil
}

func TestRespond(t *testing.T) {
	for name, row := range map[string]struct {
		body     io.Reader
		after    time.Duration // until the response
		takes    time.Duration
		closes   bool
		canceled bool
	}{
		"a short body is read to its end":                         {body: strings.NewReader("text")},
		"a long body is cut off":                                  {body: strings.NewReader(strings.Repeat("x", 100)), closes: true},
		"a body that fails is cut off":                            {body: iotest.ErrReader(io.ErrUnexpectedEOF), closes: true},
		"a slow body is read after the response, for a while":     {body: &slowReader{}, after: 200 * time.Millisecond, takes: 30 * time.Second, closes: true},
		"a slow body is not read any more if the context is done": {body: &slowReader{}, closes: true, canceled: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if row.canceled {
					cancel()
				}
				w, began, after := httptest.NewRecorder(), time.Now(), time.Duration(-1)
				drain.Respond(ctx, w, row.body, 10, func() {
					after = time.Since(began)
					w.WriteHeader(http.StatusUnauthorized)
				})
				require.Equal(t, row.after, after)
				require.Equal(t, row.takes, time.Since(began))
				require.Equal(t, row.closes, w.Result().Header.Get("Connection") == "close")
				require.Equal(t, http.StatusUnauthorized, w.Code)
				time.Sleep(time.Minute) // the recorder has no deadline, so the last Read is not ended
			})
		})
	}
}

func TestAPanicOfTheBodyReachesTheHandler(t *testing.T) {
	require.PanicsWithValue(t, "broken", func() {
		drain.Respond(t.Context(), httptest.NewRecorder(), panicReader{}, 10, func() {})
	})
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("broken") }

package drain_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/drain"
)

// A slowReader returns one byte a second, and never ends.
type slowReader struct{ read int }

func (s *slowReader) Read([]byte) (int, error) {
	time.Sleep(time.Second)
	s.read++
	return 1, nil
}

func TestBody(t *testing.T) {
	t.Run("a short body is read to its end", func(t *testing.T) {
		w, rest := httptest.NewRecorder(), strings.NewReader("text")
		drain.Body(w, rest, 10)
		require.Zero(t, rest.Len())
		require.Empty(t, w.Header())
	})
	t.Run("a long body is cut off", func(t *testing.T) {
		w, rest := httptest.NewRecorder(), strings.NewReader(strings.Repeat("x", 100))
		drain.Body(w, rest, 10)
		require.Equal(t, 90, rest.Len())
		require.Equal(t, "close", w.Header().Get("Connection"))
	})
	t.Run("a slow body is cut off, also if a middleware hides the connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, rest := httptest.NewRecorder(), &slowReader{}
			drain.Body(w, io.Reader(rest), 1<<20)
			require.Equal(t, 30, rest.read)
			require.Equal(t, "close", w.Header().Get("Connection"))
		})
	})
}

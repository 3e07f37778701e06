package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writes counts the system calls in which a connection sends.
type writes struct {
	net.Conn
	count *atomic.Int32
}

func (w writes) Write(p []byte) (int, error) {
	w.count.Add(1)
	return w.Conn.Write(p)
}

func TestSmallBodyLeavesWithItsHead(t *testing.T) {
	tests := []struct {
		name   string
		bytes  int
		writes int32
	}{
		{"one byte", 1, 1},
		{"the largest", smallBody, 1},
		{"a larger one is read later", smallBody + 1, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
			}))
			t.Cleanup(server.Close)
			var count atomic.Int32
			tr := New(Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return writes{conn, &count}, err
			}})
			t.Cleanup(tr.CloseIdleConnections)
			body := strings.Repeat("x", tt.bytes)

			// As an SDK hands it over: nobody knows what is within.
			r := request(t, t.Context(), http.MethodPut, server.URL, struct{ io.Reader }{strings.NewReader(body)})
			r.ContentLength = int64(tt.bytes)
			response, err := tr.RoundTrip(r)
			require.NoError(t, err)
			got, err := io.ReadAll(response.Body)
			require.NoError(t, err)

			require.NoError(t, response.Body.Close())
			require.True(t, body == string(got), "%d bytes of %d", len(got), len(body))
			require.Equal(t, tt.writes, count.Load())
		})
	}
}

// closing is a body that knows whether it was closed.
type closing struct {
	io.Reader
	closed atomic.Int32
}

func (c *closing) Close() error {
	c.closed.Add(1)
	return nil
}

func TestSmallBodyThatIsNotWhatWasSaid(t *testing.T) {
	broken := errors.New("the disk is gone")
	tests := []struct {
		name string
		body io.Reader
		is   error
		says string
	}{
		{name: "shorter", body: strings.NewReader("hell"), says: "not of 5 bytes"},
		{name: "empty", body: strings.NewReader(""), says: "not of 5 bytes"},
		{name: "longer", body: strings.NewReader("hello!"), says: "not of 5 bytes"},
		{name: "failing", body: io.MultiReader(strings.NewReader("he"), failing{broken}), is: broken},
		{name: "failing where it ends", body: io.MultiReader(strings.NewReader("hello"), failing{broken}), is: broken},
		{name: "failing with what an end looks like", body: failing{io.ErrUnexpectedEOF}, is: io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			called := false
			tr, server := onSocket(t, func(http.ResponseWriter, *http.Request) {
				called = true
			})
			body := &closing{Reader: tt.body}
			r := request(t, t.Context(), http.MethodPut, server.URL, body)
			r.ContentLength = 5

			_, err := tr.RoundTrip(r)
			require.Error(t, err)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			require.ErrorContains(t, err, tt.says)
			require.False(t, Sent(err))
			require.EqualValues(t, 1, body.closed.Load())
			require.False(t, called, "nothing was sent")
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestSmallBodyThatNeverComesIsReleased(t *testing.T) {
	tr, server := onSocket(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	body, _ := io.Pipe() // that nobody writes to
	r := request(t, ctx, http.MethodPut, server.URL, body)
	r.ContentLength = 5

	_, err := tr.RoundTrip(r)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, Sent(err))
}

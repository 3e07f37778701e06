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

// A countingConn counts the system calls in which the connection sends.
type countingConn struct {
	net.Conn
	count *atomic.Int32
}

func (c countingConn) Write(p []byte) (int, error) {
	c.count.Add(1)
	return c.Conn.Write(p)
}

// The transport sends a small body and the headers in one system call.
func TestSmallBodyLeavesWithItsHead(t *testing.T) {
	tests := []struct {
		name   string
		size   int
		writes int32
	}{
		{name: "one byte", size: 1, writes: 1},
		{name: "the largest small body", size: smallBody, writes: 1},
		{name: "a larger body", size: smallBody + 1, writes: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
			}))
			t.Cleanup(server.Close)
			var writes atomic.Int32
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return countingConn{conn, &writes}, err
			}
			tr := New(Options{DialContext: dial})
			t.Cleanup(tr.CloseIdleConnections)

			// As an SDK does, the caller hides the type of the body's reader from net/http.
			body := strings.Repeat("x", tt.size)
			req := newRequest(t, t.Context(), http.MethodPut, server.URL,
				struct{ io.Reader }{strings.NewReader(body)})
			req.ContentLength = int64(tt.size)
			response, err := tr.RoundTrip(req)
			require.NoError(t, err)

			got, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.True(t, body == string(got), "%d bytes of %d", len(got), len(body))
			require.Equal(t, tt.writes, writes.Load())
		})
	}
}

// A countingCloser counts how often it is closed.
type countingCloser struct {
	io.Reader
	closed atomic.Int32
}

func (c *countingCloser) Close() error {
	c.closed.Add(1)
	return nil
}

// If a small body fails, or is not as long as the request says, the request fails and nothing is
// sent.
func TestSmallBodyThatIsNotWhatWasSaid(t *testing.T) {
	const contentLength = 5
	bodyErr := errors.New("the disk is gone")
	tests := []struct {
		name     string
		body     io.Reader
		wantErr  error
		wantText string // of the error
	}{
		{name: "shorter", body: strings.NewReader("hell"), wantText: "not of 5 bytes"},
		{name: "empty", body: strings.NewReader(""), wantText: "not of 5 bytes"},
		{name: "longer", body: strings.NewReader("hello!"), wantText: "not of 5 bytes"},
		{
			name:    "an error after two bytes",
			body:    io.MultiReader(strings.NewReader("he"), failing{bodyErr}),
			wantErr: bodyErr,
		},
		{
			name:    "an error where it ends",
			body:    io.MultiReader(strings.NewReader("hello"), failing{bodyErr}),
			wantErr: bodyErr,
		},
		{
			name:    "an error that looks like its end",
			body:    failing{io.ErrUnexpectedEOF},
			wantErr: io.ErrUnexpectedEOF,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wasCalled := false
			tr, server := newTransport(t, func(http.ResponseWriter, *http.Request) {
				wasCalled = true
			})
			body := &countingCloser{Reader: tt.body}
			req := newRequest(t, t.Context(), http.MethodPut, server.URL, body)
			req.ContentLength = contentLength

			_, err := tr.RoundTrip(req)
			require.Error(t, err)
			if tt.wantErr != nil {
				require.ErrorIs(t, err, tt.wantErr)
			}
			require.ErrorContains(t, err, tt.wantText)
			require.False(t, Sent(err))
			require.False(t, wasCalled, "nothing may be sent")
			require.EqualValues(t, 1, body.closed.Load())
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// If ctx ends while a Read of a small body blocks on a pipe, the request still returns.
func TestSmallBodyThatNeverComesIsReleased(t *testing.T) {
	tr, server := newTransport(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	body, _ := io.Pipe() // nobody writes to it
	req := newRequest(t, ctx, http.MethodPut, server.URL, body)
	req.ContentLength = 5

	_, err := tr.RoundTrip(req)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, Sent(err))
}

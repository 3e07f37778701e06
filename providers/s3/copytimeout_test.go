package s3

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/transport"
)

// The driver waits ten minutes for the response to a request that copies 5 GiB, or that completes
// an upload of 5 GiB.
func TestCopyTimeout(t *testing.T) {
	const size = 5 << 30
	tests := map[string]struct {
		isSlow func(r *http.Request) bool // the request that takes ten minutes
		call   func(ctx context.Context, d *objectDriver) error
	}{
		"CopyObject": {
			isSlow: func(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" },
			call: func(ctx context.Context, d *objectDriver) error {
				r := copyOfKnownSize()
				r.Source.Attrs.Size = size
				_, err := d.Copy(ctx, r)
				return err
			},
		},
		"UploadPartCopy": {
			isSlow: func(r *http.Request) bool { return r.URL.Query().Has("partNumber") },
			call: func(ctx context.Context, d *objectDriver) error {
				// A copy above the limit is made in parts. Here, it has one part with the whole
				// size.
				d.copier.limit = 5
				d.copier.part = size
				r := copyOfKnownSize()
				r.Source.Attrs.Size = size
				_, err := d.Copy(ctx, r)
				return err
			},
		},
		"CompleteMultipartUpload": {
			isSlow: func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") },
			call: func(ctx context.Context, d *objectDriver) error {
				_, err := d.CompleteParts(ctx, &driver.CompleteRequest{
					Put:    &driver.PutRequest{Key: "to", Size: size},
					Upload: "u1",
					Parts:  []driver.Part{{Number: 1, Tag: etag}},
				})
				return err
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The server answers each kind of request. It answers the slow kind after ten
				// minutes on the clock of the test.
				client := newPipeClient(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					if tt.isSlow(r) {
						time.Sleep(10 * time.Minute)
					}
					switch {
					case r.URL.Query().Has("uploads"):
						_, _ = io.WriteString(w, begun)
					case r.URL.Query().Has("partNumber"):
						_, _ = io.WriteString(w, partCopied)
					case r.Method == http.MethodPost:
						_, _ = io.WriteString(w, finished)
					default:
						_, _ = io.WriteString(w, copied)
					}
				})
				d, err := NewDriver(t.Context(), Config{
					Bucket:      "photos",
					Endpoint:    "http://store.invalid",
					Profile:     newProfile(t, "aws"),
					AccessKeyID: "key",
					SecretKey:   "secret",
					HTTPClient:  client,
				})
				require.NoError(t, err)

				start := time.Now()
				require.NoError(t, tt.call(t.Context(), d.(*objectDriver)))
				require.Equal(t, 10*time.Minute, time.Since(start))
			})
		})
	}
}

// If a copy of unknown size gets no response in two minutes, the driver reads the size of the source by a HEAD. It
// then repeats the copy, and waits as long as a copy of that size may take.
func TestCopyTimeoutOfUnknownSize(t *testing.T) {
	const firstTimeout = 2 * time.Minute
	const secondTimeout = time.Minute // of a small object
	const lost = time.Hour            // longer than any timeout here
	tests := []struct {
		name         string
		size         int64
		delays       []time.Duration // of the responses to CopyObject
		wantDuration time.Duration   // of the whole call
		wantRequests int
		wantCode     storage.Code
	}{
		{
			name:         "a fast copy",
			size:         9,
			delays:       []time.Duration{time.Minute},
			wantDuration: time.Minute,
			wantRequests: 1,
		},
		{
			name:         "a small object, whose first response is lost",
			size:         9,
			delays:       []time.Duration{lost, 0},
			wantDuration: firstTimeout,
			wantRequests: 3,
		},
		{
			name:         "a large object, whose first response is lost",
			size:         5 << 30,
			delays:       []time.Duration{lost, 14 * time.Minute},
			wantDuration: firstTimeout + 14*time.Minute,
			wantRequests: 3,
		},
		{
			name:         "a small object, whose responses are lost",
			size:         9,
			delays:       []time.Duration{lost, lost},
			wantDuration: firstTimeout + secondTimeout,
			wantRequests: 3,
			wantCode:     storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests, copies atomic.Int32
				client := newPipeClient(t, func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					if r.Method == http.MethodHead {
						w.Header().Set("Etag", etag)
						w.Header().Set("Content-Length", strconv.FormatInt(tt.size, 10))
						return
					}
					delay := tt.delays[copies.Add(1)-1]
					select {
					case <-time.After(delay):
						_, _ = io.WriteString(w, copied)
					case <-r.Context().Done():
					}
				})
				d, err := NewDriver(t.Context(), Config{
					Bucket:      "photos",
					Endpoint:    "http://store.invalid",
					Profile:     newProfile(t, "aws"),
					AccessKeyID: "key",
					SecretKey:   "secret",
					HTTPClient:  client,
				})
				require.NoError(t, err)
				b := engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

				start := time.Now()
				_, err = storage.Copy(t.Context(), b, "to", b, "from", storage.WithoutAttrs())
				require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
				require.Equal(t, tt.wantCode != "", errors.Is(err, storage.OutcomeUnknown))
				require.Equal(t, tt.wantDuration, time.Since(start))
				require.EqualValues(t, tt.wantRequests, requests.Load())
			})
		})
	}
}

// withCopyTimeout limits the time of a request to the time that the server needs to copy a number
// of bytes. If the number is unknown, it uses the longest time.
func TestWithCopyTimeout(t *testing.T) {
	tests := []struct {
		name string
		size int64
		want time.Duration
	}{
		{name: "no byte", want: transport.DefaultAnswer},
		{name: "1 KiB", size: 1 << 10, want: transport.DefaultAnswer},
		{name: "600 MiB", size: 600 << 20, want: transport.DefaultAnswer + 100*time.Second},
		{name: "1 TiB", size: 1 << 40, want: maxCopyTimeout},
		{name: "an unknown size", size: -1, want: maxCopyTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, transport.AnswerOf(withCopyTimeout(t.Context(), tt.size)))
		})
	}
}

// newPipeClient returns a client whose connections are pipes to a server in this process.
func newPipeClient(t *testing.T, h http.HandlerFunc) *http.Client {
	t.Helper()
	listener := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	go func() {
		_ = server.Serve(listener)
	}()
	tr := transport.New(transport.Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
		client, peer := net.Pipe()
		listener.made <- peer
		return client, nil
	}})
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = server.Close()
		// The server of net/http lingers for half a second.
		time.Sleep(time.Second)
	})
	return &http.Client{Transport: tr}
}

// pipes is a listener that accepts connections in this process.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

// Accept returns the next connection, or net.ErrClosed.
func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.made:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { close(l.closed); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

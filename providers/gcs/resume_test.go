package gcs_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/gcs"
)

// uploadModes are the ways in which the driver uploads.
var uploadModes = []struct {
	name      string
	composite bool // Config.ParallelComposite
}{
	{name: "own requests", composite: false},
	{name: "parallel composite", composite: true},
}

// A proxiedBucket is a bucket of a rule server that is opened twice: directly, and through a proxy that can cut
// connections.
type proxiedBucket struct {
	server       *ruleServer
	direct       storage.Bucket
	proxy        *wiretest.Proxy
	throughProxy storage.Bucket
}

// openThroughProxy opens a new bucket of a new rule server. If composite is false, the bucket keeps versions, so that a
// second write of an object is visible.
func openThroughProxy(t *testing.T, composite bool) proxiedBucket {
	t.Helper()
	server := startRuleServer(t)
	proxy := wiretest.StartProxy(t, server.URL)
	name := server.bucket(ruleBucket{versioned: !composite})
	throughProxy, err := gcs.Open(t.Context(), gcs.Config{
		Bucket:            name,
		Endpoint:          proxy.URL(),
		ParallelComposite: composite,
	}, storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(throughProxy)) })
	return proxiedBucket{
		server:       server,
		direct:       openAt(t, server.URL, name),
		proxy:        proxy,
		throughProxy: throughProxy,
	}
}

// Reads resume after a lost connection.
func TestReadResumes(t *testing.T) {
	const size = 4 << 20
	data := wiretest.Content(size, 1)
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.NoCompression)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	const (
		offset = 1000
		length = 3 << 20
		cuts   = 4
	)
	objects := []struct {
		name     string
		data     []byte
		encoding string
	}{
		{name: "plain", data: data, encoding: ""},
		{name: "gzip-encoded", data: packed.Bytes(), encoding: "gzip"},
	}
	for _, object := range objects {
		stored := object.data
		tests := []struct {
			name string
			opts []storage.DownloadOption
			want []byte
		}{
			{name: "whole", want: stored},
			{
				name: "from an offset on",
				opts: []storage.DownloadOption{storage.WithRange(offset, -1)},
				want: stored[offset:],
			},
			{
				name: "a range",
				opts: []storage.DownloadOption{storage.WithRange(offset, length)},
				want: stored[offset : offset+length],
			},
			{
				name: "the last bytes",
				opts: []storage.DownloadOption{storage.WithRange(-length, -1)},
				want: stored[len(stored)-length:],
			},
		}
		for _, tt := range tests {
			t.Run(object.name+"/"+tt.name, func(t *testing.T) {
				bucket := openThroughProxy(t, false)
				_, err := bucket.direct.Upload(t.Context(), "a", bytes.NewReader(stored),
					storage.WithContentEncoding(object.encoding))
				require.NoError(t, err)
				bucket.proxy.Cut(wiretest.Cut{Down: 600_000}, cuts)

				got, attrs, err := storage.ReadAll(t.Context(), bucket.throughProxy, "a", tt.opts...)
				require.NoError(t, err)
				require.True(t, bytes.Equal(tt.want, got), "%d bytes, not %d", len(got), len(tt.want))
				require.Equal(t, object.encoding, attrs.ContentEncoding)
				require.Equal(t, cuts, bucket.proxy.Cuts())
			})
		}
	}
}

// An upload whose connections are cut loses no bytes, and makes exactly one object.
func TestUploadInterrupted(t *testing.T) {
	tests := []struct {
		name    string
		size    int
		inParts bool         // of 1 MiB
		cut     wiretest.Cut // after so many bytes to the server (Up) or from it (Down)
		cuts    int          // connections that are cut
	}{
		{name: "one request, cut in its bytes", size: 1 << 20, cut: wiretest.Cut{Up: 300_000}, cuts: 2},
		{name: "one request, cut in its response", size: 1 << 20, cut: wiretest.Cut{Down: 20}, cuts: 2},
		{name: "parts, cut in one of them", size: 3 << 20, inParts: true, cut: wiretest.Cut{Up: 700_000}, cuts: 3},
		{name: "parts, cut in every response", size: 3 << 20, inParts: true, cut: wiretest.Cut{Down: 20}, cuts: 3},
	}
	for _, mode := range uploadModes {
		for _, tt := range tests {
			for condition, ifAbsent := range map[string]bool{"unconditional": false, "IfAbsent": true} {
				t.Run(mode.name+"/"+tt.name+"/"+condition, func(t *testing.T) {
					bucket := openThroughProxy(t, mode.composite)
					want := wiretest.Content(tt.size, 2)
					var opts []storage.UploadOption
					if tt.inParts {
						opts = append(opts, storage.WithPartSize(1<<20))
					}
					if ifAbsent {
						opts = append(opts, storage.IfAbsent())
					}
					bucket.proxy.Cut(tt.cut, tt.cuts)

					uploaded, err := bucket.throughProxy.Upload(t.Context(), "a", bytes.NewReader(want), opts...)
					require.NoError(t, err)

					got, attrs, err := storage.ReadAll(t.Context(), bucket.direct, "a")
					require.NoError(t, err)
					require.True(t, bytes.Equal(want, got), "%d bytes", len(got))
					require.Equal(t, attrs.Revision, uploaded.Revision)
					require.GreaterOrEqual(t, bucket.proxy.Cuts(), 1)

					names := bucket.server.names(bucketOf(bucket.server))
					if !tt.inParts && !ifAbsent {
						// A request that is sent again may write the same object again.
						names = slices.Compact(names)
					}
					require.Equal(t, []string{"a"}, names, "the names of all generations in the bucket")
				})
			}
		}
	}
}

// bucketOf returns the name of the server's only bucket.
func bucketOf(s *ruleServer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.buckets {
		return name
	}
	return ""
}

// A failingBody delivers some bytes and then fails.
type failingBody struct{ left int }

// Read delivers bytes until none is left, and then fails with io.ErrClosedPipe.
func (b *failingBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrClosedPipe
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

// requireOnlyPartsLeft requires that a failed composite upload has left at most parts, and that SweepParts removes
// them. A part may be left because its request was canceled, but the server stored it after the parts were removed.
func requireOnlyPartsLeft(t *testing.T, s *ruleServer, bucket storage.Bucket) {
	t.Helper()
	client, ok := storage.As[*sdk.Client](bucket)
	require.True(t, ok)
	sweep := func() (isEmpty bool) {
		for _, name := range s.names(bucketOf(s)) {
			require.True(t, strings.HasPrefix(name, reserved+"parts/"), name)
		}
		_, err := gcs.SweepParts(t.Context(), client, bucketOf(s), anyAge)
		require.NoError(t, err)
		return len(s.names(bucketOf(s))) == 0
	}
	require.Eventually(t, sweep, time.Minute, time.Millisecond)
}

// If the body of an upload fails, there is no object, and nothing else but the parts of ParallelComposite, which
// SweepParts removes later.
func TestUploadBodyFails(t *testing.T) {
	tests := []struct {
		name string
		size int // bytes before the failure
	}{
		{name: "at once", size: 0},
		{name: "within the first request", size: 1 << 20},
		{name: "behind several chunks", size: 20 << 20},
	}
	for _, mode := range uploadModes {
		for _, tt := range tests {
			t.Run(mode.name+"/"+tt.name, func(t *testing.T) {
				bucket := openThroughProxy(t, mode.composite)
				_, err := bucket.throughProxy.Upload(t.Context(), "a", &failingBody{left: tt.size})
				require.ErrorIs(t, err, storage.BodyFailed)

				// The parts of a composite upload are objects, and those of any other are in a session.
				if mode.composite {
					requireOnlyPartsLeft(t, bucket.server, bucket.direct)
					return
				}
				require.Empty(t, bucket.server.names(bucketOf(bucket.server)))
				require.True(t, storage.Supports(bucket.throughProxy, storage.MultipartUploads))
				require.Empty(t, bucket.server.sessions)
			})
		}
	}
}

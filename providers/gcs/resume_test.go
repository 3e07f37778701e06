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

// A read continues after lost connections, and returns each byte once. This also holds for an
// object that is stored with gzip. Its bytes are not decompressed.
func TestReadResumes(t *testing.T) {
	const (
		size   = 4 << 20
		offset = 1000
		length = 3 << 20

		cuts               = 4
		bytesPerConnection = 600_000 // cuts * bytesPerConnection < length, so that each read meets all cuts
	)
	data := wiretest.Content(size, 1)
	packed := pack(t, data)
	var wholeObject []storage.DownloadOption
	fromOffset := []storage.DownloadOption{storage.WithRange(offset, -1)}
	middle := []storage.DownloadOption{storage.WithRange(offset, length)}
	lastBytes := []storage.DownloadOption{storage.WithRange(-length, -1)}

	tests := []struct {
		name     string
		stored   []byte
		encoding string
		rng      []storage.DownloadOption
		want     []byte
	}{
		{name: "plain, whole object", stored: data, rng: wholeObject, want: data},
		{name: "plain, from an offset on", stored: data, rng: fromOffset, want: data[offset:]},
		{name: "plain, a range", stored: data, rng: middle, want: data[offset : offset+length]},
		{name: "plain, last bytes", stored: data, rng: lastBytes, want: data[size-length:]},
		{name: "gzip, whole object", stored: packed, encoding: "gzip", rng: wholeObject, want: packed},
		{name: "gzip, from an offset on", stored: packed, encoding: "gzip", rng: fromOffset, want: packed[offset:]},
		{name: "gzip, a range", stored: packed, encoding: "gzip", rng: middle, want: packed[offset : offset+length]},
		{name: "gzip, last bytes", stored: packed, encoding: "gzip", rng: lastBytes, want: packed[len(packed)-length:]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := openThroughProxy(t, false)
			_, err := bucket.direct.Upload(t.Context(), "a", bytes.NewReader(tt.stored),
				storage.WithContentEncoding(tt.encoding))
			require.NoError(t, err)
			bucket.proxy.Cut(wiretest.Cut{Down: bytesPerConnection}, cuts)

			got, attrs, err := storage.ReadAll(t.Context(), bucket.throughProxy, "a", tt.rng...)
			require.NoError(t, err)
			require.True(t, bytes.Equal(tt.want, got), "%d bytes, not %d", len(got), len(tt.want))
			require.Equal(t, tt.encoding, attrs.ContentEncoding)
			require.Equal(t, cuts, bucket.proxy.Cuts())
		})
	}
}

// pack returns data in the gzip format, without compression.
func pack(t *testing.T, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.NoCompression)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return packed.Bytes()
}

// An upload whose connections are cut loses no bytes, and makes exactly one object.
func TestUploadInterrupted(t *testing.T) {
	const mib = 1 << 20
	var (
		inBody     = wiretest.Cut{Up: 300_000} // after so many bytes to the server
		inPart     = wiretest.Cut{Up: 700_000}
		inResponse = wiretest.Cut{Down: 20} // after so many bytes from the server

		inParts  = storage.WithPartSize(mib)
		ifAbsent = storage.IfAbsent()
	)
	tests := []struct {
		name string
		size int
		opts []storage.UploadOption
		cut  wiretest.Cut
		cuts int // connections that are cut
		// If a request without a condition is sent again, it may write the object again.
		mayWriteAgain bool
	}{
		{name: "one request, cut in its body", size: mib, cut: inBody, cuts: 2, mayWriteAgain: true},
		{name: "one request, cut in its response", size: mib, cut: inResponse, cuts: 2, mayWriteAgain: true},
		{
			name: "one request, IfAbsent, cut in its body",
			size: mib,
			opts: []storage.UploadOption{ifAbsent},
			cut:  inBody,
			cuts: 2,
		},
		{
			name: "one request, IfAbsent, cut in its response",
			size: mib,
			opts: []storage.UploadOption{ifAbsent},
			cut:  inResponse,
			cuts: 2,
		},
		{
			name: "parts, cut in one of them",
			size: 3 * mib,
			opts: []storage.UploadOption{inParts},
			cut:  inPart,
			cuts: 3,
		},
		{
			name: "parts, cut in every response",
			size: 3 * mib,
			opts: []storage.UploadOption{inParts},
			cut:  inResponse,
			cuts: 3,
		},
		{
			name: "parts, IfAbsent, cut in one of them",
			size: 3 * mib,
			opts: []storage.UploadOption{inParts, ifAbsent},
			cut:  inPart,
			cuts: 3,
		},
		{
			name: "parts, IfAbsent, cut in every response",
			size: 3 * mib,
			opts: []storage.UploadOption{inParts, ifAbsent},
			cut:  inResponse,
			cuts: 3,
		},
	}
	for _, mode := range uploadModes {
		for _, tt := range tests {
			t.Run(mode.name+"/"+tt.name, func(t *testing.T) {
				bucket := openThroughProxy(t, mode.composite)
				want := wiretest.Content(tt.size, 2)
				bucket.proxy.Cut(tt.cut, tt.cuts)

				uploaded, err := bucket.throughProxy.Upload(t.Context(), "a", bytes.NewReader(want), tt.opts...)
				require.NoError(t, err)
				require.GreaterOrEqual(t, bucket.proxy.Cuts(), 1)

				got, attrs, err := storage.ReadAll(t.Context(), bucket.direct, "a")
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got), "%d bytes", len(got))
				require.Equal(t, attrs.Revision, uploaded.Revision)

				names := bucket.server.names(bucketOf(bucket.server)) // of all generations
				if tt.mayWriteAgain {
					names = slices.Compact(names)
				}
				require.Equal(t, []string{"a"}, names)
			})
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

// requireOnlyPartsLeft requires that a failed composite upload has left nothing but parts, and that
// SweepParts removes them. A part may be left because its request was canceled, but the server
// stored it after the other parts were removed.
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

// If the body of an upload fails, nothing is left but the parts of ParallelComposite. SweepParts
// removes them later.
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

				// The parts of a composite upload are objects. The parts of any other upload are in
				// a session.
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

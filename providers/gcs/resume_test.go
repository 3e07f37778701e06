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

// An uploadMode is a configuration in which the driver moves bytes differently.
type uploadMode struct {
	name   string
	config func(t *testing.T, endpoint string) gcs.Config
}

// uploadModes are the modes whose uploads leave nothing if they fail.
var uploadModes = []uploadMode{
	{"own requests", func(_ *testing.T, endpoint string) gcs.Config { return gcs.Config{Endpoint: endpoint} }},
}

// compositeMode is the mode of parallel composite uploads.
var compositeMode = uploadMode{"parallel composite", func(_ *testing.T, endpoint string) gcs.Config {
	return gcs.Config{Endpoint: endpoint, ParallelComposite: true}
}}

// openThroughProxy opens a bucket of a new rule server twice: directly, and through a proxy that can cut
// connections.
func openThroughProxy(t *testing.T, l uploadMode) (s *ruleServer, direct storage.Bucket, proxy *wiretest.Proxy, cut storage.Bucket) {
	t.Helper()
	s = startRuleServer(t)
	proxy = wiretest.StartProxy(t, s.URL)
	bucket := s.bucket(ruleBucket{versioned: l.name != compositeMode.name}) // so that a second commit is visible
	open := func(c gcs.Config, opts ...storage.OpenOption) storage.Bucket {
		c.Bucket = bucket
		b, err := gcs.Open(t.Context(), c, opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}
	direct = open(gcs.Config{Endpoint: s.URL})
	cut = open(l.config(t, proxy.URL()), storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	return s, direct, proxy, cut
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

	for _, l := range uploadModes {
		tests := []struct {
			name     string
			data     []byte
			encoding string
		}{
			{name: "plain", data: data, encoding: ""},
			{name: "gzip-encoded", data: packed.Bytes(), encoding: "gzip"},
		}
		for _, tt := range tests {
			for _, row := range []struct {
				name           string
				offset, length int64
			}{
				{name: "whole", offset: 0, length: -1},
				{name: "from an offset on", offset: 1000, length: -1},
				{name: "a range", offset: 1000, length: 3 << 20},
				{name: "the last bytes", offset: -(3 << 20), length: -1},
			} {
				t.Run(l.name+"/"+tt.name+"/"+row.name, func(t *testing.T) {
					_, direct, proxy, cut := openThroughProxy(t, l)
					_, err := direct.Upload(t.Context(), "a", bytes.NewReader(tt.data),
						storage.WithContentEncoding(tt.encoding))
					require.NoError(t, err)
					proxy.Cut(wiretest.Cut{Down: 600_000}, 4)
					var opts []storage.DownloadOption
					want := tt.data
					if row.offset != 0 || row.length >= 0 {
						opts = append(opts, storage.WithRange(row.offset, row.length))
						start := row.offset
						if start < 0 {
							start += int64(len(want))
						}
						want = want[start:]
						if row.length >= 0 {
							want = want[:row.length]
						}
					}

					got, attrs, err := storage.ReadAll(t.Context(), cut, "a", opts...)
					require.NoError(t, err)
					require.True(t, bytes.Equal(want, got), "%d bytes, not %d", len(got), len(want))
					require.Equal(t, tt.encoding, attrs.ContentEncoding)
					require.Equal(t, 4, proxy.Cuts())
				})
			}
		}
	}
}

// An interrupted upload loses no bytes and makes one object.
func TestUploadInterrupted(t *testing.T) {
	for _, l := range append(uploadModes, compositeMode) {
		tests := []struct {
			name     string
			size     int
			up, down int64
			cuts     int
			opts     []storage.UploadOption
		}{
			{name: "one request, cut in its bytes", size: 1 << 20, up: 300_000, cuts: 2},
			{name: "one request, cut in its response", size: 1 << 20, down: 20, cuts: 2},
			{
				name: "parts, cut in one of them",
				size: 3 << 20,
				up:   700_000,
				cuts: 3,
				opts: []storage.UploadOption{storage.WithPartSize(1 << 20)},
			},
			{
				name: "parts, cut in every response",
				size: 3 << 20,
				down: 20,
				cuts: 3,
				opts: []storage.UploadOption{storage.WithPartSize(1 << 20)},
			},
		}
		for _, tt := range tests {
			for _, condition := range []struct {
				name string
				opts []storage.UploadOption
			}{
				{name: "unconditional", opts: nil},
				{name: "IfAbsent", opts: []storage.UploadOption{storage.IfAbsent()}},
			} {
				t.Run(l.name+"/"+tt.name+"/"+condition.name, func(t *testing.T) {
					server, direct, proxy, cut := openThroughProxy(t, l)
					want := wiretest.Content(tt.size, 2)
					proxy.Cut(wiretest.Cut{Up: tt.up, Down: tt.down}, tt.cuts)
					existing, err := cut.Upload(t.Context(), "a", bytes.NewReader(want),
						append(tt.opts, condition.opts...)...)
					require.NoError(t, err)

					got, attrs, err := storage.ReadAll(t.Context(), direct, "a")
					require.NoError(t, err)
					require.True(t, bytes.Equal(want, got), "%d bytes", len(got))
					require.Equal(t, attrs.Revision, existing.Revision)
					require.GreaterOrEqual(t, proxy.Cuts(), 1)

					names := server.names(bucketOf(server))
					if tt.opts == nil && condition.opts == nil {
						// a request that is sent again may write the same object again
						names = slices.Compact(names)
					}
					require.Equal(t, []string{"a"}, names, "one generation, and nothing else")
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

// requireOnlyPartsLeft requires that what a failed composite upload has left is a part, and that SweepParts
// removes it: the server may store a part whose request was canceled after the removal of the parts.
func requireOnlyPartsLeft(t *testing.T, s *ruleServer, bucket storage.Bucket) {
	t.Helper()
	client, ok := storage.As[*sdk.Client](bucket)
	require.True(t, ok)
	require.Eventually(t, func() bool {
		for _, name := range s.names(bucketOf(s)) {
			require.True(t, strings.HasPrefix(name, reserved+"parts/"), name)
		}
		_, err := gcs.SweepParts(t.Context(), client, bucketOf(s), -time.Hour)
		require.NoError(t, err)
		return len(s.names(bucketOf(s))) == 0
	}, time.Minute, time.Millisecond)
}

// If the body of an upload fails, there is no object. With ParallelComposite, parts may remain until SweepParts
// removes them.
func TestUploadBodyFails(t *testing.T) {
	for _, l := range append(uploadModes, compositeMode) {
		tests := []struct {
			name string
			left int
		}{
			{name: "at once", left: 0},
			{name: "within the first request", left: 1 << 20},
			{name: "behind several chunks", left: 20 << 20},
		}
		for _, tt := range tests {
			t.Run(l.name+"/"+tt.name, func(t *testing.T) {
				server, direct, _, b := openThroughProxy(t, l)
				_, err := b.Upload(t.Context(), "a", &failingBody{left: tt.left})
				require.ErrorIs(t, err, storage.BodyFailed)
				if l.name == compositeMode.name {
					requireOnlyPartsLeft(t, server, direct)
					return
				}
				require.Empty(t, server.names(bucketOf(server)))
				if storage.Supports(b, storage.MultipartUploads) { // the SDK leaves its sessions to expire
					require.Empty(t, server.sessions, "no session is left")
				}
			})
		}
	}
}

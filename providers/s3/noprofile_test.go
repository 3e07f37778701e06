package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest"
)

// A bucket can be opened with only an endpoint. Uploads and downloads then succeed, but IfAbsent
// fails with an error that names the profile.
func TestOpenWithoutProfile(t *testing.T) {
	for _, name := range []string{"minio", "versitygw", "minio-tls"} {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			if name == "minio-tls" {
				// The test's own client and the driver must both trust the server's certificate.
				file := os.Getenv("OMNIBUCKET_TEST_MINIO_TLS_CA")
				s.raw = s.clientOver(newTrustingClient(t, file))
				t.Setenv("AWS_CA_BUNDLE", file)
			}

			const isVersioned = false
			b, err := s3.Open(t.Context(), s.withoutProfile(t, isVersioned))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			for _, size := range []int{0, 1000, 2*partSize + 1} {
				want := wiretest.Content(size, 1)
				for _, body := range []io.Reader{
					bytes.NewReader(want),
					struct{ io.Reader }{bytes.NewReader(want)}, // cannot be rewound
				} {
					attrs, err := b.Upload(t.Context(), "a", body, storage.WithPartSize(partSize))
					require.NoError(t, err)
					require.True(t, attrs.CRC32C.Known)

					got, _, err := storage.ReadAll(t.Context(), b, "a")
					require.NoError(t, err)
					require.True(t, bytes.Equal(want, got), "%d bytes of %d", len(got), size)
				}
			}

			// The profile has the name of the server without "-tls".
			_, err = b.Upload(t.Context(), "b", strings.NewReader("x"), storage.IfAbsent())
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, "profile="+strings.TrimSuffix(name, "-tls"))
		})
	}
}

// Our own server has a profile. If a bucket is opened without this profile, it refuses IfAbsent
// with an error that names the profile.
func TestProfileOfS3server(t *testing.T) {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	c := s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}

	// Without the profile.
	b := openBucket(t, c)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("y"), storage.IfAbsent())
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "profile=omnibucket ")

	// With the profile.
	profile, ok := s3.NamedProfile("omnibucket")
	require.True(t, ok)
	c.Profile = &profile
	b = openBucket(t, c)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("y"), storage.IfAbsent())
	require.ErrorIs(t, err, storage.PreconditionFailed)
	_, err = b.Upload(t.Context(), "b", strings.NewReader("y"), storage.IfAbsent(),
		storage.WithTags(map[string]string{"k": "v"}))
	require.NoError(t, err)
}

// List fails with Unsupported if MinIO is opened without a profile, and repeats a page because the
// delimiter is not "/".
func TestListDelimiterWithoutProfile(t *testing.T) {
	b := openBucket(t, needServer(t, "minio").withoutProfile(t, false))
	for _, key := range []string{"a-1", "a-2", "b-1"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
	}

	var lastErr error
	for _, err := range b.List(t.Context(), storage.WithDelimiter("-"), storage.WithPageSize(1)) {
		lastErr = err
	}
	require.ErrorIs(t, lastErr, storage.Unsupported)
	require.ErrorContains(t, lastErr, "profile=minio")
}

// If a body is damaged on its way, Upload without a profile and without TLS fails with
// ChecksumMismatch. The driver sends an MD5, and the server compares it with the body.
func TestPutDamagedBodyWithoutProfile(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			c := s.withoutProfile(t, false)
			c.HTTPClient = &http.Client{Transport: damaging{}} // changes a byte of each body
			b, err := s3.Open(t.Context(), c)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			const oneRequest, inParts = 1000, partSize + 1
			for _, size := range []int{oneRequest, inParts} {
				body := bytes.NewReader(wiretest.Content(size, 1))
				_, err := b.Upload(t.Context(), "a", body, storage.WithPartSize(partSize))
				require.ErrorIs(t, err, storage.ChecksumMismatch)

				_, err = b.Attrs(t.Context(), "a")
				require.ErrorIs(t, err, storage.ObjectNotFound)
			}
		})
	}
}

// A damaging is a transport that changes the first byte of the body of each PUT.
type damaging struct{}

// RoundTrip sends the request, and damages the body of a PUT.
func (damaging) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && r.ContentLength > 0 {
		r = r.Clone(r.Context())
		r.Body = struct {
			io.Reader
			io.Closer
		}{&damagedReader{inner: r.Body}, r.Body}
	}
	return withoutKeepAlive().Transport.RoundTrip(r)
}

// A damagedReader changes the first byte of a body.
type damagedReader struct {
	inner     io.Reader
	isChanged bool
}

// Read changes one bit of the first byte that it returns.
func (d *damagedReader) Read(p []byte) (int, error) {
	n, err := d.inner.Read(p)
	if n > 0 && !d.isChanged {
		p[0] ^= 1
		d.isChanged = true
	}
	return n, err
}

// Without a profile of the server, a feature stays Unsupported unless a response proves it. The
// conformance suite passes. The server is ours, because other servers refuse some keys.
func TestFurtherConformanceWithoutAProfile(t *testing.T) {
	testserver.Further(t)
	leaveOutOfSupportTable(t)
	server := startOwnServer(t, s3server.Config{Strict: true, Limits: s3server.Limits{MinPartSize: leastPart}})
	open := func(t *testing.T) driver.Driver {
		d, err := s3.NewDriver(t.Context(), server.withoutProfile(t, false))
		require.NoError(t, err)
		return withSmallParts(d)
	}
	openVersioned := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		b, err := s3.Open(t.Context(), server.withoutProfile(t, true), opts...)
		require.NoError(t, err)
		return b
	}

	// A profile changes nothing for keys, listings and parallel reads, so the suite's rules for these are left out.
	keysListingsAndReads := []string{"K3", "K4", "K5", "L1", "L2", "L3", "L4", "R6", "R7", "R8", "V-FS"}
	storagetest.RunDriver(t, open,
		storagetest.WithVersionedOpen(openVersioned),
		storagetest.SkipRules("no profile changes this", keysListingsAndReads...),
	)
}

// withoutProfile returns the Config of a new bucket.
func (s *testServer) withoutProfile(t *testing.T, versioned bool) s3.Config {
	t.Helper()
	return s3.Config{
		Bucket:      s.bucket(t, versioned),
		Endpoint:    s.endpoint,
		Region:      "us-east-1",
		AccessKeyID: s.key,
		SecretKey:   s.secret,
	}
}

package s3_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/providers/s3/s3probe"
	"github.com/omnibucket/storage/s3server"
)

// A summed is a body whose checksum is known when it has ended.
type summed struct {
	*strings.Reader
	request *driver.PartRequest
	sum     storage.CRC32C
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.Len() == 0 {
		s.request.CRC32C = s.sum
	}
	return n, err
}

// summedPart returns the request of a part, which has the checksum sum when it has ended.
func summedPart(upload, text string, sum storage.CRC32C) *driver.PartRequest {
	r := &driver.PartRequest{Key: "k", Upload: upload, Number: 7, Size: int64(len(text))}
	r.Body = &summed{strings.NewReader(text), r, sum}
	return r
}

// startTrustedServer starts a server with TLS that the driver trusts.
func startTrustedServer(t *testing.T, replies ...wiretest.Reply) *wiretest.Server {
	t.Helper()
	server := wiretest.NewTLSServer(t, replies...)
	trustCertificate(t, server.Certificate())
	return server
}

func newDriverAt(t *testing.T, endpoint, profile string, change ...func(*s3.Config)) driver.Driver {
	t.Helper()
	p, ok := s3.NamedProfile(profile)
	require.True(t, ok)
	c := s3.Config{
		Bucket:      "photos",
		Endpoint:    endpoint,
		Profile:     &p,
		AccessKeyID: "key",
		SecretKey:   "secret",
		Region:      "us-east-1",
	}
	for _, f := range change {
		f(&c)
	}
	d, err := s3.NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

const anETag = `"9b2cf535f27731c974343645a3985328"`

// The checksum of a part follows its body.
func TestPutPartChecksumTrailer(t *testing.T) {
	server := startTrustedServer(t, wiretest.Reply{
		Header: map[string]string{"ETag": anETag, "X-Amz-Checksum-Crc32c": "mnG7TA=="},
	})
	d := newDriverAt(t, server.URL, "aws")
	require.True(t, d.Describe().PartChecksumWhileSending)
	require.False(t, d.Describe().ChecksumWhileSending,
		"a server that ignores a trailer would show the frames of the chunks as an object")

	part, err := d.PutPart(t.Context(), summedPart("u1", "hello", wiretest.CRC32C("hello")))
	require.NoError(t, err)
	require.Equal(t, driver.Part{Number: 7, Tag: anETag, Size: 5, CRC32C: wiretest.CRC32C("hello")}, part)

	got := server.Last(t)
	require.Equal(t, "PUT /photos/k?partNumber=7&uploadId=u1&x-id=UploadPart", got.Line())
	require.Equal(t, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n", got.Body)

	for name, value := range map[string]string{
		"Content-Encoding": "aws-chunked", "Content-Length": "47", "X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		"X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32c", "X-Amz-Checksum-Crc32c": "", "Content-Md5": "",
	} {
		require.Equal(t, value, got.Header.Get(name), name)
	}

	authorization := got.Header.Get("Authorization")
	for _, name := range []string{
		"content-encoding",
		"content-length",
		"x-amz-content-sha256",
		"x-amz-decoded-content-length",
		"x-amz-trailer",
	} {
		require.Contains(t, authorization, name)
	}
}

// The checksum of a part is in a header where a trailer cannot be sent or has no use.
func TestPutPartChecksumHeader(t *testing.T) {
	response := wiretest.Reply{Header: map[string]string{"ETag": anETag, "X-Amz-Checksum-Crc32c": "mnG7TA=="}}
	server := startTrustedServer(t, response)
	d := newDriverAt(t, server.URL, "aws")
	requireHeader := func(t *testing.T) {
		got := server.Last(t)
		require.Equal(t, "hello", got.Body)
		require.Equal(t, "mnG7TA==", got.Header.Get("X-Amz-Checksum-Crc32c"))
		require.Equal(t, "UNSIGNED-PAYLOAD", got.Header.Get("X-Amz-Content-Sha256"))
		require.Empty(t, got.Header.Get("X-Amz-Trailer"))
		require.Empty(t, got.Header.Get("Content-Encoding"))
	}

	t.Run("it is known before", func(t *testing.T) {
		r := summedPart("u1", "hello", wiretest.CRC32C("hello"))
		r.CRC32C = wiretest.CRC32C("hello")
		_, err := d.PutPart(t.Context(), r)
		require.NoError(t, err)
		requireHeader(t)
	})

	t.Run("the SDK's client sends the requests of one call", func(t *testing.T) {
		server.Respond(wiretest.Reply{Body: "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"}, response)
		b := engine.New(smallParts{d, 5}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

		_, err := b.Upload(t.Context(), "k", strings.NewReader("hellohello"), storage.WithPartSize(5), storage.WithConcurrency(1),
			s3.WithRequest(func(*awss3.UploadPartInput) {}))
		require.Error(t, err, "nothing answers the completion")

		var parts int
		for _, got := range server.Requests() {
			if got.Query().Get("partNumber") != "" && got.Query().Get("uploadId") == "u1" {
				require.Equal(t, "mnG7TA==", got.Header.Get("X-Amz-Checksum-Crc32c"))
				require.Equal(t, "hello", got.Body)
				parts++
			}
		}
		require.NotZero(t, parts)
	})

	for name, d := range map[string]driver.Driver{
		"the SDK's client sends all requests": newDriverAt(t, server.URL, "aws", func(c *s3.Config) {
			c.HTTPClient = server.Client()
		}),
		"the server keeps the coding":        newDriverAt(t, server.URL, "versitygw"),
		"the server is not known to take it": newDriverAt(t, server.URL, "r2"),
		"the server checks no CRC32C":        newDriverAt(t, server.URL, "b2"),
		"without TLS":                        newDriverAt(t, wiretest.NewServer(t, response).URL, "aws"),
		"TrailingChecksums without Checksum": newDriverAt(t, server.URL, "b2", func(c *s3.Config) {
			c.Profile.TrailingChecksums = true
		}),
	} {
		require.False(t, d.Describe().PartChecksumWhileSending, name)
	}
}

// If a server ignores the trailer, it stores the chunk frames in the part. PutPart fails with
// ChecksumMismatch.
func TestPutPartTrailerIgnored(t *testing.T) {
	server := startTrustedServer(t, wiretest.Reply{Header: map[string]string{"ETag": anETag}})
	_, err := newDriverAt(t, server.URL, "aws").PutPart(t.Context(),
		summedPart("u1", "hello", wiretest.CRC32C("hello")))
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	require.ErrorContains(t, err, "s3probe.Run")
	require.Len(t, server.Requests(), 1)
}

// A countedFile is a file whose reads are counted.
type countedFile struct {
	*bytes.Reader
	read atomic.Int64
}

func (c *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.read.Add(int64(n))
	return n, err
}

// Uploads over TLS read their body once if parts have trailers.
func TestUploadOverTLS(t *testing.T) {
	runOverTLS(t, func(t *testing.T, s *testServer, c s3.Config) {
		b := openBucket(t, c)
		trails := c.HTTPClient == nil
		for _, size := range []int{partSize + 1, 3*partSize - 7, 4 * partSize} {
			want := &countedFile{Reader: bytes.NewReader(wiretest.Content(size, 1))}
			existing, err := b.Upload(t.Context(), "a", want, storage.WithPartSize(partSize),
				storage.WithContentEncoding("gzip"), storage.IfAbsent())
			require.NoError(t, err)
			require.Equal(t, trails, want.read.Load() < int64(size)+1<<10, "%d bytes of %d were read",
				want.read.Load(), size)

			got, attrs, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(wiretest.Content(size, 1), got))
			require.Equal(t, "gzip", attrs.ContentEncoding)
			require.Equal(t, existing.CRC32C, attrs.CRC32C)
			require.True(t, attrs.CRC32C.Known)
			require.NoError(t, b.Remove(t.Context(), "a"))
		}
	})
}

// A wrong checksum in the trailer is refused.
func TestPutPartWrongTrailer(t *testing.T) {
	runOverTLS(t, func(t *testing.T, s *testServer, c s3.Config) {
		d, err := s3.NewDriver(t.Context(), c)
		require.NoError(t, err)
		defer func() {
			require.NoError(t, d.Close())
		}()
		upload, err := d.BeginParts(t.Context(), &driver.PutRequest{Key: "k", Size: -1})
		require.NoError(t, err)
		_, err = d.PutPart(t.Context(), summedPart(upload, "hello", wiretest.CRC32C("hullo")))
		if c.HTTPClient == nil {
			require.ErrorIs(t, err, storage.ChecksumMismatch)
		}
		require.NoError(t, d.AbortParts(t.Context(), "k", upload))
	})
}

// A cutter damages the first request of each part.
func cutter(cut func(w http.ResponseWriter, r *http.Request)) func(http.Handler) http.Handler {
	var count atomic.Int64
	return func(h http.Handler) http.Handler {
		return wiretest.OneRequestAConnection(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("partNumber") && r.Method == http.MethodPut && count.Add(1) <= 2 {
				cut(w, r)
			}
			h.ServeHTTP(w, r)
		}))
	}
}

func cutAfter(n func(r *http.Request) int64) func(http.ResponseWriter, *http.Request) {
	return func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, n(r))
		panic(http.ErrAbortHandler)
	}
}

// endAfter lets the server see the body without its end, as a proxy would that takes the trailer off.
func endAfter(n func(r *http.Request) int64) func(http.ResponseWriter, *http.Request) {
	return func(_ http.ResponseWriter, r *http.Request) {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(r.Body, n(r)), r.Body}
	}
}

// If a connection is cut while a part is sent, the engine sends the part again.
func TestPutPartCutSentAgain(t *testing.T) {
	const trailer = int64(len("x-amz-checksum-crc32c:mnG7TA==\r\n\r\n"))
	less := func(n int64) func(*http.Request) int64 {
		return func(r *http.Request) int64 { return r.ContentLength - n }
	}
	for name, cut := range map[string]func(http.ResponseWriter, *http.Request){
		"before the first byte":                   cutAfter(func(*http.Request) int64 { return 0 }),
		"in a chunk":                              cutAfter(func(*http.Request) int64 { return 1<<20 + 1000 }),
		"before the last chunk":                   cutAfter(less(trailer + 3)),
		"before the trailer":                      cutAfter(less(trailer)),
		"in the trailer":                          cutAfter(less(4)),
		"after the last byte":                     cutAfter(less(0)),
		"the server sees no trailer":              endAfter(less(trailer)),
		"the server sees a trailer without a end": endAfter(less(2)),
		"the server sees half of the body":        endAfter(func(r *http.Request) int64 { return r.ContentLength / 2 }),
	} {
		t.Run(name, func(t *testing.T) {
			s, certificate := startOwnServerTLS(t, s3server.Config{Strict: true, Middleware: cutter(cut)})
			t.Setenv("AWS_CA_BUNDLE", certificate)
			b, err := s3.Open(t.Context(), s.config(t, s.bucket(t, false)),
				storage.WithRetry(storage.RetryPolicy{Attempts: 4, MaxDelay: time.Millisecond}))
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()
			want := wiretest.Content(2*partSize+5, 3)
			_, err = b.Upload(t.Context(), "a", bytes.NewReader(want), storage.WithPartSize(partSize))
			require.NoError(t, err)

			got, _, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		})
	}
}

// An upload that is canceled before its trailer stores no part.
func TestUploadCanceledBeforeTrailer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, certificate := startOwnServerTLS(t, s3server.Config{Strict: true, Middleware: cutter(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength-20)
		cancel()
	})})
	t.Setenv("AWS_CA_BUNDLE", certificate)
	bucket := s.bucket(t, false)
	b := openBucket(t, s.config(t, bucket))

	_, err := b.Upload(ctx, "a", bytes.NewReader(wiretest.Content(2*partSize, 3)),
		storage.WithPartSize(partSize))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, s.uploads(t, bucket, "a"))

	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)
}

// If the body does not match WithCRC32C, Upload stops before the trailer, and no object or upload remains.
func TestWithCRC32COverTLS(t *testing.T) {
	runOverTLS(t, func(t *testing.T, s *testServer, c s3.Config) {
		b := openBucket(t, c)
		content := wiretest.Content(partSize+1, 1)

		_, err := b.Upload(t.Context(), "a", bytes.NewReader(content), storage.WithPartSize(partSize),
			storage.WithCRC32C(wiretest.CRC32C(string(content)).Sum+1))
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		exists, err := b.Exists(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, exists)
		require.Zero(t, s.uploads(t, c.Bucket, "a"))
	})
}

const trailerCheck = "over TLS, a part that does not match the CRC32C after it is refused"

// The probe finds out whether a server takes trailers.
func TestProbeTrailers(t *testing.T) {
	testserver.Further(t) // it runs the whole probe on each server
	probed := func(t *testing.T, c s3.Config, want s3probe.Verdict) {
		c.Profile = nil
		report, err := s3probe.Run(t.Context(), c, "tmp/")
		require.NoError(t, err)
		i := slices.IndexFunc(report.Checks, func(c s3probe.Check) bool { return c.Name == trailerCheck })
		require.Equal(t, want, report.Checks[i].Verdict, report.Checks[i].Detail)
		require.Equal(t, want == s3probe.Enforced, report.Profile.TrailingChecksums)
	}
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		want := s3probe.Enforced
		if c.HTTPClient != nil {
			want = s3probe.Inconclusive
		}
		probed(t, c, want)
	})
	t.Run("a server that returns no checksum", func(t *testing.T) {
		s, certificate := startOwnServerTLS(t, s3server.Config{
			Strict: true,
			Middleware: func(h http.Handler) http.Handler {
				return wiretest.OneRequestAConnection(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("X-Amz-Trailer") != "" {
						w = silent{w}
					}
					h.ServeHTTP(w, r)
				}))
			},
		})
		t.Setenv("AWS_CA_BUNDLE", certificate)
		probed(t, s.config(t, s.bucket(t, false)), s3probe.Ignored)
	})
}

// A silent server tells no checksum.
type silent struct{ http.ResponseWriter }

func (w silent) WriteHeader(status int) {
	w.Header().Del("X-Amz-Checksum-Crc32c")
	w.ResponseWriter.WriteHeader(status)
}

func (w silent) Write(p []byte) (int, error) {
	w.Header().Del("X-Amz-Checksum-Crc32c")
	return w.ResponseWriter.Write(p)
}

package s3_test

import (
	"bytes"
	"context"
	"fmt"
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

// A summed is the body of a part. When its last byte has been read, it sets the checksum of its
// request. The engine's bodies do the same.
type summed struct {
	*strings.Reader
	request *driver.PartRequest
	sum     storage.CRC32C
}

// Read sets the checksum of the request when it has returned the last byte of the body.
func (s *summed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.Len() == 0 {
		s.request.CRC32C = s.sum
	}
	return n, err
}

// summedPart returns the request of a part whose checksum is unknown until its body has been read.
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

// newDriverAt opens the bucket "photos" at an endpoint with a profile. The functions in change can
// change the configuration before that.
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

// If the checksum of a part is unknown before the body is sent, PutPart sends it in a trailer. The
// signature covers the headers about the trailer.
func TestPutPartChecksumTrailer(t *testing.T) {
	server := startTrustedServer(t, wiretest.Reply{
		Header: map[string]string{"ETag": anETag, "X-Amz-Checksum-Crc32c": "mnG7TA=="},
	})
	d := newDriverAt(t, server.URL, "aws")

	// The driver uses trailers for parts, but not for whole objects.
	require.True(t, d.Describe().PartChecksumWhileSending)
	require.False(t, d.Describe().ChecksumWhileSending,
		"a server that ignores a trailer would show the frames of the chunks as an object")

	// The checksum of the part is unknown until its body has been read.
	part, err := d.PutPart(t.Context(), summedPart("u1", "hello", wiretest.CRC32C("hello")))
	require.NoError(t, err)
	require.Equal(t, driver.Part{Number: 7, Tag: anETag, Size: 5, CRC32C: wiretest.CRC32C("hello")}, part)

	// The body has a chunk of 5 bytes, the empty last chunk, and the trailer.
	got := server.Last(t)
	require.Equal(t, "PUT /photos/k?partNumber=7&uploadId=u1&x-id=UploadPart", got.Line())
	require.Equal(t, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n", got.Body)

	for name, value := range map[string]string{
		"Content-Encoding":             "aws-chunked",
		"Content-Length":               "47",
		"X-Amz-Content-Sha256":         "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		"X-Amz-Decoded-Content-Length": "5",
		"X-Amz-Trailer":                "x-amz-checksum-crc32c",
		"X-Amz-Checksum-Crc32c":        "",
		"Content-Md5":                  "",
	} {
		require.Equal(t, value, got.Header.Get(name), name)
	}

	// The signature covers these headers.
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

// requireChecksumHeader requires that the request of a part has its checksum in a header, and no trailer.
func requireChecksumHeader(t *testing.T, req wiretest.Request) {
	t.Helper()
	require.Equal(t, "hello", req.Body)
	require.Equal(t, "mnG7TA==", req.Header.Get("X-Amz-Checksum-Crc32c"))
	require.Equal(t, "UNSIGNED-PAYLOAD", req.Header.Get("X-Amz-Content-Sha256"))
	require.Empty(t, req.Header.Get("X-Amz-Trailer"))
	require.Empty(t, req.Header.Get("Content-Encoding"))
}

// storedPart is the response to a request that has stored a part.
var storedPart = wiretest.Reply{
	Header: map[string]string{"ETag": anETag, "X-Amz-Checksum-Crc32c": "mnG7TA=="},
}

// If the checksum of a part is known before its body is sent, PutPart sends it in a header.
func TestPutPartChecksumHeader(t *testing.T) {
	server := startTrustedServer(t, storedPart)
	r := summedPart("u1", "hello", wiretest.CRC32C("hello"))
	r.CRC32C = wiretest.CRC32C("hello")

	_, err := newDriverAt(t, server.URL, "aws").PutPart(t.Context(), r)
	require.NoError(t, err)
	requireChecksumHeader(t, server.Last(t))
}

// If an upload has a function of WithRequest for parts, the SDK's client sends the parts, because the function
// changes that client's input. This client sends the checksum of a part in a header rather than in a trailer.
func TestPutPartChecksumHeaderWithRequest(t *testing.T) {
	const begun = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
	server := startTrustedServer(t, wiretest.Reply{Body: begun}, storedPart)
	d := newDriverAt(t, server.URL, "aws")

	// The upload has two parts of five bytes.
	const part = "hello"
	b := engine.New(smallParts{Driver: d, least: int64(len(part))}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

	_, err := b.Upload(t.Context(), "k", strings.NewReader(part+part),
		storage.WithPartSize(int64(len(part))),
		storage.WithConcurrency(1),
		s3.WithRequest(func(*awss3.UploadPartInput) {}))
	require.Error(t, err, "the server does not answer the completion as S3 does")

	// The parts were sent before, each with its checksum.
	const partSum = "mnG7TA==" // the CRC32C of part in base64
	parts := 0
	for _, req := range server.Requests() {
		if req.Query().Has("partNumber") && req.Query().Get("uploadId") == "u1" {
			require.Equal(t, part, req.Body)
			require.Equal(t, partSum, req.Header.Get("X-Amz-Checksum-Crc32c"))
			parts++
		}
	}
	require.NotZero(t, parts)
}

// A driver declares that it can send the checksum of a part after the part. It does so only over TLS, with the raw
// client, and to a server that takes trailers.
func TestPartChecksumWhileSending(t *testing.T) {
	server := startTrustedServer(t, storedPart)
	require.True(t, newDriverAt(t, server.URL, "aws").Describe().PartChecksumWhileSending)

	for name, d := range map[string]driver.Driver{
		"the SDK's client sends all requests": newDriverAt(t, server.URL, "aws", func(c *s3.Config) {
			c.HTTPClient = server.Client()
		}),
		"the server stores the coding":     newDriverAt(t, server.URL, "versitygw"),
		"the server has no known trailers": newDriverAt(t, server.URL, "r2"),
		"the server checks no CRC32C":      newDriverAt(t, server.URL, "b2"),
		"without TLS":                      newDriverAt(t, wiretest.NewServer(t, storedPart).URL, "aws"),
		"TrailingChecksums without Checksum": newDriverAt(t, server.URL, "b2", func(c *s3.Config) {
			c.Profile.TrailingChecksums = true
		}),
	} {
		t.Run(name, func(t *testing.T) {
			require.False(t, d.Describe().PartChecksumWhileSending)
		})
	}
}

// PutPart fails with ChecksumMismatch if the server ignores the trailer, because the stored part
// then has the frames of the chunks.
func TestPutPartTrailerIgnored(t *testing.T) {
	server := startTrustedServer(t, wiretest.Reply{Header: map[string]string{"ETag": anETag}})
	d := newDriverAt(t, server.URL, "aws")

	_, err := d.PutPart(t.Context(), summedPart("u1", "hello", wiretest.CRC32C("hello")))
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

// An upload over TLS reads its body once if its parts have trailers. The client of the SDK sends no
// trailers, and reads each part twice: for its checksum, and to send it.
func TestUploadOverTLS(t *testing.T) {
	const slack = 1 << 10 // more than is read beside the content, and less than a second read of any part

	// On each server, runOverTLS runs the test with the driver's own client, and with that of the
	// SDK. The Config has an HTTPClient only for the SDK's client.
	runOverTLS(t, func(t *testing.T, s *testServer, c s3.Config) {
		b := openBucket(t, c)
		hasTrailers := c.HTTPClient == nil
		for _, size := range []int{partSize + 1, 3*partSize - 7, 4 * partSize} {
			t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
				content := wiretest.Content(size, 1)
				file := &countedFile{Reader: bytes.NewReader(content)}
				uploaded, err := b.Upload(t.Context(), "a", file,
					storage.WithPartSize(partSize),
					storage.WithContentEncoding("gzip"),
					storage.IfAbsent())
				require.NoError(t, err)

				// file.read is the number of bytes that were read.
				isReadOnce := file.read.Load() < int64(size)+slack
				require.Equal(t, hasTrailers, isReadOnce, "%d bytes were read", file.read.Load())

				got, attrs, err := storage.ReadAll(t.Context(), b, "a")
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got))
				require.Equal(t, "gzip", attrs.ContentEncoding)
				require.Equal(t, uploaded.CRC32C, attrs.CRC32C)
				require.True(t, attrs.CRC32C.Known)
				require.NoError(t, b.Remove(t.Context(), "a"))
			})
		}
	})
}

// If the checksum in the trailer does not match the part, the server refuses the part.
func TestPutPartWrongTrailer(t *testing.T) {
	// On each server, runOverTLS runs the test with the driver's own client, and with that of the
	// SDK. The Config has an HTTPClient only for the SDK's client.
	runOverTLS(t, func(t *testing.T, s *testServer, c s3.Config) {
		d, err := s3.NewDriver(t.Context(), c)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, d.Close()) })

		// The client of the SDK sends no trailers, so the engine computes its checksums before it sends a part.
		hasTrailers := c.HTTPClient == nil
		require.Equal(t, hasTrailers, d.Describe().PartChecksumWhileSending)
		if !hasTrailers {
			return
		}

		upload, err := d.BeginParts(t.Context(), &driver.PutRequest{Key: "k", Size: -1})
		require.NoError(t, err)
		_, err = d.PutPart(t.Context(), summedPart(upload, "hello", wiretest.CRC32C("hullo")))
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		require.NoError(t, d.AbortParts(t.Context(), "k", upload))
	})
}

// damageFirstParts returns a middleware that calls damage with the first two requests of parts, before the
// server handles them.
func damageFirstParts(damage func(r *http.Request)) func(http.Handler) http.Handler {
	var parts atomic.Int64
	return func(next http.Handler) http.Handler {
		return wiretest.OneRequestAConnection(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("partNumber") && r.Method == http.MethodPut && parts.Add(1) <= 2 {
				damage(r)
			}
			next.ServeHTTP(w, r)
		}))
	}
}

const (
	trailerLength   = int64(len("x-amz-checksum-crc32c:mnG7TA==\r\n\r\n")) // of a part that is sent in chunks
	lastChunkLength = int64(len("0\r\n"))                                  // before the trailer
)

// If the connection is closed while a part is sent, the engine sends the part again.
func TestPutPartCutSentAgain(t *testing.T) {
	tests := []struct {
		name     string
		received func(length int64) int64 // of a body of this length, the bytes before the connection is closed
	}{
		{name: "before the first byte", received: func(int64) int64 { return 0 }},
		{name: "within a chunk", received: func(int64) int64 { return 1<<20 + 1000 }},
		{
			name:     "before the last chunk",
			received: func(length int64) int64 { return length - trailerLength - lastChunkLength },
		},
		{name: "before the trailer", received: func(length int64) int64 { return length - trailerLength }},
		{name: "within the trailer", received: func(length int64) int64 { return length - 4 }},
		{name: "after the last byte", received: func(length int64) int64 { return length }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireUploadDespite(t, func(r *http.Request) {
				_, _ = io.CopyN(io.Discard, r.Body, tt.received(r.ContentLength))
				panic(http.ErrAbortHandler) // closes the connection
			})
		})
	}
}

// If a proxy ends the body of a part too early, the server refuses the part, and the engine sends it again.
func TestPutPartShortenedSentAgain(t *testing.T) {
	tests := []struct {
		name      string
		forwarded func(length int64) int64 // bytes of the body that the server gets
	}{
		{name: "no trailer", forwarded: func(length int64) int64 { return length - trailerLength }},
		{name: "a trailer without its end", forwarded: func(length int64) int64 { return length - 2 }},
		{name: "half of the body", forwarded: func(length int64) int64 { return length / 2 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireUploadDespite(t, func(r *http.Request) {
				// The server gets only the first bytes of the body.
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r.Body, tt.forwarded(r.ContentLength)), r.Body}
			})
		})
	}
}

// requireUploadDespite uploads an object of three parts, and requires that it is stored although damage is called with
// the first two requests of parts.
func requireUploadDespite(t *testing.T, damage func(r *http.Request)) {
	t.Helper()
	server, certificate := startOwnServerTLS(t, s3server.Config{
		Strict:     true,
		Middleware: damageFirstParts(damage),
	})
	t.Setenv("AWS_CA_BUNDLE", certificate)
	b, err := s3.Open(t.Context(), server.config(t, server.bucket(t, false)),
		storage.WithRetry(storage.RetryPolicy{Attempts: 4, MaxDelay: time.Millisecond}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	content := wiretest.Content(2*partSize+5, 3)
	_, err = b.Upload(t.Context(), "a", bytes.NewReader(content), storage.WithPartSize(partSize))
	require.NoError(t, err)
	got, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got))
}

// If an upload is canceled while its first parts are sent, but before their trailers, the server
// stores no part.
func TestUploadCanceledBeforeTrailer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The server reads a part up to its trailer, and then the caller cancels.
	cancelInTrailer := func(r *http.Request) {
		const trailerEnd = 20 // bytes at the end of the trailer
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength-trailerEnd)
		cancel()
	}

	server, certificate := startOwnServerTLS(t, s3server.Config{
		Strict:     true,
		Middleware: damageFirstParts(cancelInTrailer),
	})
	t.Setenv("AWS_CA_BUNDLE", certificate)
	bucket := server.bucket(t, false)
	b := openBucket(t, server.config(t, bucket))

	content := wiretest.Content(2*partSize, 3)
	_, err := b.Upload(ctx, "a", bytes.NewReader(content), storage.WithPartSize(partSize))
	require.ErrorIs(t, err, context.Canceled)

	// Neither the upload nor an object is left.
	require.Zero(t, server.uploads(t, bucket, "a"))
	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)
}

// Upload fails with ChecksumMismatch if the body does not match WithCRC32C, and leaves neither an
// object nor an upload.
func TestWithCRC32COverTLS(t *testing.T) {
	runOverTLS(t, func(t *testing.T, s *testServer, c s3.Config) {
		b := openBucket(t, c)
		content := wiretest.Content(partSize+1, 1)
		wrongSum := wiretest.CRC32C(string(content)).Sum + 1

		_, err := b.Upload(t.Context(), "a", bytes.NewReader(content),
			storage.WithPartSize(partSize),
			storage.WithCRC32C(wrongSum),
		)
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		exists, err := b.Exists(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, exists)
		require.Zero(t, s.uploads(t, c.Bucket, "a"))
	})
}

// The probe finds out whether a server takes trailers. With the client of the SDK, it cannot find
// this out, because that client sends no trailers.
func TestProbeTrailers(t *testing.T) {
	// This test runs the whole probe on each server.
	testserver.Further(t)
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		want := s3probe.Enforced
		if c.HTTPClient != nil {
			want = s3probe.Inconclusive
		}
		requireTrailerVerdict(t, c, want)
	})
}

// If the server returns no checksum for a part with a trailer, the probe finds that the server
// ignores trailers.
func TestProbeTrailersIgnored(t *testing.T) {
	testserver.Further(t)
	hideChecksums := func(next http.Handler) http.Handler {
		return wiretest.OneRequestAConnection(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Amz-Trailer") != "" {
				w = checksumHider{w}
			}
			next.ServeHTTP(w, r)
		}))
	}
	server, certificate := startOwnServerTLS(t, s3server.Config{Strict: true, Middleware: hideChecksums})
	t.Setenv("AWS_CA_BUNDLE", certificate)
	requireTrailerVerdict(t, server.config(t, server.bucket(t, false)), s3probe.Ignored)
}

// requireTrailerVerdict runs the probe, and requires the given verdict about trailers.
func requireTrailerVerdict(t *testing.T, c s3.Config, want s3probe.Verdict) {
	t.Helper()
	const name = "over TLS, a part that does not match the CRC32C after it is refused"
	c.Profile = nil
	report, err := s3probe.Run(t.Context(), c, "tmp/")
	require.NoError(t, err)

	i := slices.IndexFunc(report.Checks, func(check s3probe.Check) bool { return check.Name == name })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, want, report.Checks[i].Verdict, report.Checks[i].Detail)
	require.Equal(t, want == s3probe.Enforced, report.Profile.TrailingChecksums)
}

// A checksumHider removes the checksum from a response.
type checksumHider struct{ http.ResponseWriter }

func (w checksumHider) WriteHeader(status int) {
	w.Header().Del("X-Amz-Checksum-Crc32c")
	w.ResponseWriter.WriteHeader(status)
}

func (w checksumHider) Write(p []byte) (int, error) {
	w.Header().Del("X-Amz-Checksum-Crc32c")
	return w.ResponseWriter.Write(p)
}

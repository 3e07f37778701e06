package gcs_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// openAt opens a bucket of the server at an endpoint.
func openAt(t testing.TB, endpoint, bucket string) storage.Bucket {
	b, err := gcs.Open(t.Context(), gcs.Config{Bucket: bucket, Endpoint: endpoint})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// An upload that fits into one request takes one request, even if its length is unknown. A larger
// upload takes a request that begins it, and one for each 8 MiB.
func TestUploadRequests(t *testing.T) {
	tests := []struct {
		name          string
		size          int
		unknownLength bool
		maxRequests   int
	}{
		{name: "1 KiB", size: 1 << 10, maxRequests: 1},
		{name: "1 KiB of unknown length", size: 1 << 10, unknownLength: true, maxRequests: 1},
		{name: "8 MiB", size: 8 << 20, maxRequests: 1},
		{name: "64 MiB of unknown length", size: 64 << 20, unknownLength: true, maxRequests: 1 + 64/8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startRuleServer(t)
			bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
			var body io.Reader = bytes.NewReader(make([]byte, tt.size))
			if tt.unknownLength {
				// MultiReader hides the length of the body.
				body = io.MultiReader(body)
			}
			server.requests() // forgets those of opening

			_, err := bucket.Upload(t.Context(), "a", body)
			require.NoError(t, err)
			require.LessOrEqual(t, len(server.requests()), tt.maxRequests)
		})
	}
}

// A download takes one request.
func TestDownloadRequests(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
	_, err := bucket.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 1<<10)))
	require.NoError(t, err)
	server.requests() // forgets those of the upload

	_, _, err = storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Len(t, server.requests(), 1)
}

// BenchmarkUpload1KiB uploads a body whose length the driver knows. Google's SDK allocates 16 MiB for such an upload.
func BenchmarkUpload1KiB(b *testing.B) {
	server := startNullServer(b)
	bucket := openAt(b, server, "photos")
	body := make([]byte, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bucket.Upload(b.Context(), "a", bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpload1KiBOfUnknownLength uploads a body whose length the driver learns at its end.
func BenchmarkUpload1KiBOfUnknownLength(b *testing.B) {
	server := startNullServer(b)
	bucket := openAt(b, server, "photos")
	body := make([]byte, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bucket.Upload(b.Context(), "a", io.MultiReader(bytes.NewReader(body))); err != nil {
			b.Fatal(err)
		}
	}
}

// setBenchtime sets the flag that says how often testing.Benchmark repeats a benchmark. When the
// test ends, the flag gets its old value again.
func setBenchtime(t *testing.T, value string) {
	t.Helper()
	old := flag.Lookup("test.benchtime").Value.String()
	require.NoError(t, flag.Set("test.benchtime", value))
	t.Cleanup(func() { require.NoError(t, flag.Set("test.benchtime", old)) })
}

// An upload of 1 KiB allocates at most 200 KiB, including what the server of the test allocates.
func TestUploadSmallAllocations(t *testing.T) {
	const (
		uploads  = 300
		maxBytes = 200 << 10 // it is 14 KiB if the race detector does not empty pools
	)

	setBenchtime(t, fmt.Sprintf("%dx", uploads))
	tests := []struct {
		name      string
		benchmark func(b *testing.B)
	}{
		{name: "known length", benchmark: BenchmarkUpload1KiB},
		{name: "unknown length", benchmark: BenchmarkUpload1KiBOfUnknownLength},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result := testing.Benchmark(tt.benchmark)
			require.Equal(t, uploads, result.N)
			require.LessOrEqual(t, result.AllocedBytesPerOp(), int64(maxBytes))
		})
	}
}

package gcs_test

import (
	"bytes"
	"flag"
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

// An upload that fits into one request takes one, even if its length is unknown. A larger one takes a request for
// each 8 MiB, and one that begins it.
func TestUploadRequests(t *testing.T) {
	tests := []struct {
		name string
		body func() io.Reader
		most int
	}{
		{name: "1 KiB", body: func() io.Reader { return bytes.NewReader(make([]byte, 1<<10)) }, most: 1},
		{
			name: "1 KiB of unknown length",
			body: func() io.Reader { return io.LimitReader(bytes.NewReader(make([]byte, 1<<10)), 1<<20) },
			most: 1,
		},
		{name: "8 MiB", body: func() io.Reader { return bytes.NewReader(make([]byte, 8<<20)) }, most: 1},
		{
			name: "64 MiB of unknown length",
			body: func() io.Reader { return io.LimitReader(bytes.NewReader(make([]byte, 64<<20)), 1<<40) },
			most: 9,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startRuleServer(t)
			bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
			server.requests()
			_, err := bucket.Upload(t.Context(), "a", tt.body())
			require.NoError(t, err)
			require.LessOrEqual(t, len(server.requests()), tt.most)
		})
	}
}

// A download takes one request.
func TestDownloadRequests(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
	_, err := bucket.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 1<<10)))
	require.NoError(t, err)
	server.requests()

	_, _, err = storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Len(t, server.requests(), 1)
}

// An upload by the SDK allocates 16 MiB.
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

// Small uploads allocate little.
func TestUploadSmallAllocations(t *testing.T) {
	const most = 200 << 10 // bytes; it is 14 KiB if the race detector does not empty pools
	times := flag.Lookup("test.benchtime").Value.String()
	require.NoError(t, flag.Set("test.benchtime", "300x"))
	defer func() {
		require.NoError(t, flag.Set("test.benchtime", times))
	}()
	for name, run := range map[string]func(b *testing.B){"known": BenchmarkUpload1KiB, "unknown": BenchmarkUpload1KiBOfUnknownLength} {
		result := testing.Benchmark(run)
		require.Equal(t, 300, result.N, name)
		require.LessOrEqual(t, result.AllocedBytesPerOp(), int64(most), name)
	}
}

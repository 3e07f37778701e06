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

func openAt(t testing.TB, endpoint, bucket string) storage.Bucket {
	b, err := gcs.Open(t.Context(), gcs.Config{Bucket: bucket, Endpoint: endpoint})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

func TestUploadRequests(t *testing.T) {
	tests := []struct {
		name string
		body func() io.Reader
		most int
	}{
		{"1 KiB", func() io.Reader { return bytes.NewReader(make([]byte, 1<<10)) }, 1},
		{"1 KiB of unknown length", func() io.Reader { return io.LimitReader(bytes.NewReader(make([]byte, 1<<10)), 1<<20) }, 1},
		{"8 MiB", func() io.Reader { return bytes.NewReader(make([]byte, 8<<20)) }, 1},
		{"64 MiB of unknown length", func() io.Reader { return io.LimitReader(bytes.NewReader(make([]byte, 64<<20)), 1<<40) }, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startRuleServer(t)
			b := openAt(t, s.URL, s.bucket(ruleBucket{}))
			s.requests()
			_, err := b.Upload(t.Context(), "a", tt.body())
			require.NoError(t, err)
			require.LessOrEqual(t, len(s.requests()), tt.most)
		})
	}
}

func TestDownloadRequests(t *testing.T) {
	s := startRuleServer(t)
	b := openAt(t, s.URL, s.bucket(ruleBucket{}))
	_, err := b.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 1<<10)))
	require.NoError(t, err)
	s.requests()

	_, _, err = storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Len(t, s.requests(), 1)
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

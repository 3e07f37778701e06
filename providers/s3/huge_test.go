package s3_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/s3server"
	"github.com/omnibucket/storage/providers/s3"
)

// hugeBytes is how long the generated stream is: OMNIBUCKET_TEST_HUGE says
// another number of MiB, such as 5120.
func hugeBytes(t *testing.T) int64 {
	t.Helper()
	text, given := os.LookupEnv("OMNIBUCKET_TEST_HUGE")
	if !given {
		return 96 << 20
	}
	n, err := strconv.ParseInt(text, 10, 32)
	require.NoError(t, err)
	return n << 20
}

// generated is a stream that is made as it is read, and sums itself up.
type generated struct {
	left, at int64
	crc      uint32
	peak     uint64 // bytes of heap, seen on the way
}

func (g *generated) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), g.left, 64<<10))
	for i := 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(p[i:], uint64(g.at+int64(i))*0x9E3779B97F4A7C15)
	}
	if before := g.at >> 23; before != (g.at+int64(n))>>23 {
		g.look()
	}
	g.left, g.at = g.left-int64(n), g.at+int64(n)
	g.crc = crc32.Update(g.crc, crc32.MakeTable(crc32.Castagnoli), p[:n])
	return n, nil
}

func (g *generated) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	g.peak = max(g.peak, m.HeapAlloc)
}

func TestAHugeStreamGoesThroughBoundedMemory(t *testing.T) {
	const memory = 48 << 20
	s := needServer(t, "minio")
	b := s.open(t, s.bucket(t, false), storage.WithMemory(storage.NewMemory(memory)))
	defer func() { require.NoError(t, storage.Close(b)) }()

	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	body := &generated{left: hugeBytes(t)}
	attrs, err := b.Upload(t.Context(), "huge", body)
	require.NoError(t, err)
	require.Equal(t, hugeBytes(t), attrs.Size)
	require.Equal(t, body.crc, *attrs.CRC32C)
	t.Logf("%d MiB up, at most %d MiB of heap beside the %d MiB before", attrs.Size>>20, body.peak>>20, before.HeapAlloc>>20)
	require.Less(t, body.peak-min(body.peak, before.HeapAlloc), uint64(3*memory), "garbage that waits for its collection included")

	for _, opts := range [][]storage.DownloadOption{nil, {storage.WithConcurrency(4)}} {
		r, err := b.Download(t.Context(), "huge", opts...)
		require.NoError(t, err)
		sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
		n, err := io.Copy(sum, r)
		require.NoError(t, err, "verified by the reader too")
		require.Equal(t, attrs.Size, n)
		require.Equal(t, body.crc, sum.Sum32())
		require.NoError(t, r.Close())
	}
}

// smallParts is a bucket of a server whose parts may be of any size, so that
// 10,000 of them are not 50 GB.
type smallParts struct{ storage.Driver }

func (d smallParts) Describe() storage.Description {
	desc := d.Driver.Describe()
	desc.MinPartSize = 1
	return desc
}

func TestTenThousandPartsAndNotOneMore(t *testing.T) {
	const part, parts = 16, 10_000
	server, err := s3server.Start(s3server.Config{Limits: s3server.Limits{MinPartSize: 1}, CloseConnections: false})
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	s := &testServer{name: "aws", endpoint: server.URL, key: s3server.DefaultAccessKeyID, secret: s3server.DefaultSecretKey}
	s.raw = s.clientOver(keepingNothing())
	bucket := s.bucket(t, false)
	d, err := s3.NewDriver(t.Context(), s.config(t, bucket))
	require.NoError(t, err)
	b := storage.New(d, storage.WithLayer(func(d storage.Driver) storage.Driver { return smallParts{d} }))
	defer func() { require.NoError(t, storage.Close(b)) }()

	attrs, err := b.Upload(t.Context(), "all", &generated{left: part * parts}, storage.WithPartSize(part))
	require.NoError(t, err)
	require.Equal(t, int64(part*parts), attrs.Size)
	require.Equal(t, parts, server.Count("UploadPart"))

	_, err = b.Upload(t.Context(), "more", &generated{left: part*parts + 1}, storage.WithPartSize(part))
	var e *storage.Error
	require.True(t, errors.As(err, &e), "%v", err)
	require.Equal(t, storage.TooLarge, e.Code)
	require.NotEmpty(t, e.Hint)
	require.Zero(t, s.uploads(t, bucket, "more"))
	there, err := b.Exists(t.Context(), "more")
	require.NoError(t, err)
	require.False(t, there)
}

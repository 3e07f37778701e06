package wiretest

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Content returns n bytes, which differ with the seed.
func Content(n int, seed byte) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i>>16) ^ byte(i>>8) ^ byte(i) ^ seed
	}
	return data
}

// An InfiniteBody is a reader that never ends.
type InfiniteBody struct {
	At   int64  // number of bytes after which Then is called
	Then func() // called once
	read int64
}

// Read leaves p as it is, and calls e.Then when the byte at e.At has been read.
func (e *InfiniteBody) Read(p []byte) (int, error) {
	before := e.read
	e.read += int64(len(p))
	reachesAt := before < e.At && e.read >= e.At
	if reachesAt {
		e.Then()
	}
	return len(p), nil
}

// A Stream generates bytes while it is read, and computes their checksum.
type Stream struct {
	Left int64 // number of bytes that are still to be read
	CRC  uint32
	read int64  // number of bytes that were read
	peak uint64 // largest size of the heap, in bytes
}

// Read fills p with the next bytes of the stream. It also measures the heap, once in 8 MiB, because a
// measurement stops the program.
func (s *Stream) Read(p []byte) (int, error) {
	if s.Left == 0 {
		return 0, io.EOF
	}

	const maxRead = 64 << 10
	n := int(min(int64(len(p)), s.Left, maxRead))
	s.fill(p[:n])

	const measureEvery = 8 << 20
	if s.read/measureEvery != (s.read+int64(n))/measureEvery {
		s.measureHeap()
	}

	s.Left -= int64(n)
	s.read += int64(n)
	s.CRC = crc32.Update(s.CRC, crc32.MakeTable(crc32.Castagnoli), p[:n])
	return n, nil
}

// fill writes eight bytes at a time that depend on their offset. If fewer remain at the end of p, it leaves
// them as they are.
func (s *Stream) fill(p []byte) {
	// The golden ratio as a 64-bit integer spreads the bits of the offset.
	const goldenRatio = 0x9E3779B97F4A7C15
	for i := 0; i+8 <= len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], uint64(s.read+int64(i))*goldenRatio)
	}
}

func (s *Stream) measureHeap() {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	s.peak = max(s.peak, stats.HeapAlloc)
}

// UploadHuge uploads a stream of unknown length as "huge", and checks that this takes little
// memory. memory is the limit in bytes with which the bucket was opened. The stream has mib MiB, or
// as many as OMNIBUCKET_TEST_HUGE says.
func UploadHuge(t testing.TB, b storage.Bucket, memory uint64, mib int64) (*storage.Attrs, *Stream) {
	t.Helper()
	if text, ok := os.LookupEnv("OMNIBUCKET_TEST_HUGE"); ok {
		n, err := strconv.ParseInt(text, 10, 32)
		require.NoError(t, err)
		mib = n
	}

	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	body := &Stream{Left: mib << 20}
	attrs, err := b.Upload(t.Context(), "huge", body)
	require.NoError(t, err)
	require.Equal(t, mib<<20, attrs.Size)
	require.Equal(t, body.CRC, attrs.CRC32C.Sum)

	t.Logf(
		"uploaded %d MiB with at most %d MiB of heap, %d MiB of which were used before", mib, body.peak>>20,
		before.HeapAlloc>>20,
	)

	// The heap may have become smaller than before. The subtraction of unsigned numbers must not wrap
	// then.
	used := body.peak - min(body.peak, before.HeapAlloc)
	require.Less(t, used, 3*memory, "this includes uncollected garbage")
	return attrs, body
}

// HugeStream uploads an object with [UploadHuge], and downloads it with one request and with
// several.
func HugeStream(t testing.TB, b storage.Bucket, memory uint64, mib int64) {
	t.Helper()
	attrs, body := UploadHuge(t, b, memory, mib)
	for _, opts := range [][]storage.DownloadOption{nil, {storage.WithConcurrency(4)}} {
		r, err := b.Download(t.Context(), "huge", opts...)
		require.NoError(t, err)
		sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
		n, err := io.Copy(sum, r)
		require.NoError(t, err, "the reader verifies the checksum, too")
		require.Equal(t, attrs.Size, n)
		require.Equal(t, body.CRC, sum.Sum32())
		require.NoError(t, r.Close())
	}
}

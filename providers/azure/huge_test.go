package azure_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
)

// hugeBytes is how long the generated stream is: OMNIBUCKET_TEST_HUGE says
// another number of MiB, such as 1024.
func hugeBytes(t *testing.T) int64 {
	t.Helper()
	text, given := os.LookupEnv("OMNIBUCKET_TEST_HUGE")
	if !given {
		return 64 << 20
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

// uploadHuge uploads a stream of unknown length within memory.
func uploadHuge(t *testing.T, b storage.Bucket, memory uint64) (*storage.Attrs, *generated) {
	t.Helper()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	body := &generated{left: hugeBytes(t)}
	attrs, err := b.Upload(t.Context(), "huge", body)
	require.NoError(t, err)
	require.Equal(t, hugeBytes(t), attrs.Size)
	require.Equal(t, body.crc, *attrs.CRC32C)
	t.Logf("%d MiB up, at most %d MiB of heap beside the %d MiB before", attrs.Size>>20, body.peak>>20, before.HeapAlloc>>20)
	require.Less(t, body.peak-min(body.peak, before.HeapAlloc), 3*memory, "garbage that waits for its collection included")
	return attrs, body
}

func TestAHugeStreamGoesThroughBoundedMemory(t *testing.T) {
	const memory = 48 << 20
	s := needAzurite(t)
	b := s.open(t, s.container(t), storage.WithMemory(storage.NewMemory(memory)))
	defer func() { require.NoError(t, storage.Close(b)) }()
	attrs, body := uploadHuge(t, b, memory)
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

// A sink takes blocks, keeps none, and counts.
type sink struct {
	*httptest.Server
	bytes, blocks, named atomic.Int64
	checksum             atomic.Pointer[string] // that the commit stores
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("comp") == "block" {
			n, _ := io.Copy(io.Discard, r.Body)
			s.bytes.Add(n)
			s.blocks.Add(1)
		} else {
			body, _ := io.ReadAll(r.Body)
			s.named.Add(int64(strings.Count(string(body), "<Latest>")))
			checksum := r.Header.Get("X-Ms-Meta-Omnibucket_crc32c")
			s.checksum.Store(&checksum)
		}
		w.Header().Set("ETag", `"1"`)
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAHugeStreamIsCommittedOnceWithItsChecksum(t *testing.T) {
	const memory = 48 << 20
	s := newSink(t)
	b, err := azure.Open(t.Context(), azure.Config{Bucket: "photos", Endpoint: s.URL + "/devstoreaccount1"}, storage.WithMemory(storage.NewMemory(memory)))
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(b)) }()
	attrs, body := uploadHuge(t, b, memory)
	require.Equal(t, attrs.Size, s.bytes.Load())
	require.Equal(t, s.blocks.Load(), s.named.Load())
	require.Equal(t, fmt.Sprintf("%08x-%d", body.crc, attrs.Size), *s.checksum.Load())
}

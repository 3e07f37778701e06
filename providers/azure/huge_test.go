package azure_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/azure"
)

// An upload of a huge stream uses bounded memory.
func TestUploadHugeStream(t *testing.T) {
	const memory = 48 << 20
	server := needAzurite(t)
	bucket := server.open(t, server.container(t), storage.WithBufferLimit(&storage.BufferLimit{Max: memory}))
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	wiretest.HugeStream(t, bucket, memory, 64)
}

// A sink counts blocks and discards them.
type sink struct {
	*httptest.Server
	bytes, blocks, named atomic.Int64
	checksum             atomic.Pointer[string] // that the commit stores
}

// newSink starts a sink. It counts the blocks that it gets, and the blocks that a block list names.
func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isBlock := r.URL.Query().Get("comp") == "block"
		if isBlock {
			size, _ := io.Copy(io.Discard, r.Body)
			s.bytes.Add(size)
			s.blocks.Add(1)
		} else {
			list, _ := io.ReadAll(r.Body)
			s.named.Add(int64(strings.Count(string(list), "<Latest>")))
			checksum := r.Header.Get("X-Ms-Meta-Omnibucket_crc32c")
			s.checksum.Store(&checksum)
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("X-Ms-Request-Id", "R1")
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(s.Close)
	return s
}

// An upload of a huge stream commits each of its blocks once, with the checksum of the object.
func TestUploadHugeStreamCommittedOnce(t *testing.T) {
	const memory = 48 << 20
	s := newSink(t)
	bucket, err := azure.Open(t.Context(), azure.Config{
		Bucket:   "photos",
		Endpoint: s.URL + "/devstoreaccount1",
	}, storage.WithBufferLimit(&storage.BufferLimit{Max: memory}))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()

	// By default, the stream is larger than the memory that the bucket may use.
	const defaultMiB = 64
	attrs, body := wiretest.UploadHuge(t, bucket, memory, defaultMiB)
	require.Equal(t, attrs.Size, s.bytes.Load())
	require.Equal(t, s.blocks.Load(), s.named.Load(), "the block list must name each block that was sent")
	require.Equal(t, fmt.Sprintf("%08x-%d", body.CRC, attrs.Size), *s.checksum.Load())
}

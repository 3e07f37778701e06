package filesapi_test

import (
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// readerAt is a file whose bytes follow a pattern. It can be read at several offsets at once.
type readerAt struct{ size int64 }

// ReadAt reads the bytes of the pattern from offset on.
func (r readerAt) ReadAt(b []byte, offset int64) (int, error) {
	n, err := io.ReadFull(&pattern{offset: min(offset, r.size), end: r.size}, b)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// The handler receives and sends a large file in little memory. The client runs in the same
// process, so the limit of the memory includes it.
func TestHandlerLargeFile(t *testing.T) {
	size := largeSize(t)
	bufferLimit := storage.WithBufferLimit(&storage.BufferLimit{Max: 32 << 20})
	bucket, err := local.Open(t.TempDir(), local.Config{NoSync: true}, bufferLimit)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	api := newAPI(t, newFixture(t, filesapi.StoreConfig{}, newClock(), bucket), filesapi.HandlerConfig{})

	// Measure the heap from here on.
	peakOfHeap := watchHeap()

	// Send the parts in random order. Their numbers begin with 1.
	count := int((size + largePart - 1) / largePart)
	parts := rand.New(rand.NewPCG(1, 2)).Perm(count)
	for i := range parts {
		parts[i]++
	}
	record, err := api.client.UploadLarge(t.Context(), filesclient.LargeFile{
		Name:     "large.bin",
		Body:     readerAt{size},
		Size:     size,
		PartSize: largePart,
		Only:     parts,
	})
	require.NoError(t, err)
	require.Equal(t, size, record.OriginalLength)

	// The file that is downloaded has the same checksum.
	sent := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	received := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, err = io.Copy(sent, &pattern{end: size})
	require.NoError(t, err)

	content, err := api.client.Download(t.Context(), record.ID, "")
	require.NoError(t, err)
	n, err := io.Copy(received, content)
	require.NoError(t, err)
	require.NoError(t, content.Close())
	require.Equal(t, size, n)
	require.Equal(t, sent.Sum32(), received.Sum32())

	peak := peakOfHeap()
	t.Logf("%d MiB in %d parts: the heap grew by %.1f MiB at most", size>>20, count, float64(peak)/(1<<20))
	require.Less(t, peak, uint64(largeHeap))
}

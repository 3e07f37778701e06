package filesapi_test

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

const (
	// largeVariable names the size of the large file in MiB.
	largeVariable = "OMNIBUCKET_FILES_TEST_LARGE_MIB"
	largeMiB      = 200
	largePart     = 10 << 20
	// largeHeap limits the heap that the store may use.
	largeHeap = 64 << 20
)

// largeSize returns the size of a large file in bytes, which the environment may set in MiB.
func largeSize(t *testing.T) int64 {
	t.Helper()
	mib := testserver.Sample(largeMiB/2, largeMiB)
	if text := os.Getenv(largeVariable); text != "" {
		var err error
		mib, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	return int64(mib) << 20
}

// The parts of a large file may arrive out of order, whether the store joins them or the service does.
func TestUploadPartLargeFileOutOfOrder(t *testing.T) {
	size := largeSize(t)
	tests := []struct {
		name    string
		disable storage.Features // features that the bucket lacks
	}{
		{name: "joined by the store"},
		{name: "joined by streaming", disable: storage.ServerCompose},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := faults.WithLimits(faults.Limits{Disable: tt.disable})
			bucket, err := local.Open(t.TempDir(), local.Config{NoSync: true}, driver.WithLayer(limits))
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(bucket))
			}()
			s, err := filesapi.NewStore(bucket, uploads.BucketRecords(bucket), filesapi.StoreConfig{})
			require.NoError(t, err)

			storeLargeFile(t, s, size) // its parts arrive out of order
		})
	}
}

// storeLargeFile stores a file of size bytes with four senders at once, and reads it back. It requires that this takes
// little memory.
func storeLargeFile(t *testing.T, s *filesapi.Store, size int64) {
	const senders = 4
	count := int((size + largePart - 1) / largePart)
	heap := watchHeap()

	// The senders take the parts in random order.
	indexes := rand.New(rand.NewPCG(1, 2)).Perm(count) // part numbers begin with 1
	work := make(chan int)
	var group sync.WaitGroup
	var mu sync.Mutex
	var record *filesapi.Record
	var failure error
	for range senders {
		group.Go(func() {
			for i := range work {
				body := &pattern{offset: int64(i) * largePart, end: min(int64(i+1)*largePart, size)}
				r, err := s.UploadPart(t.Context(), body, part(i+1).of(count))

				mu.Lock()
				if r != nil {
					record = r
				}
				if err != nil {
					failure = fmt.Errorf("part %d: %w", i+1, err)
				}
				mu.Unlock()
			}
		})
	}

	for _, i := range indexes {
		work <- i
	}
	close(work)
	group.Wait()

	// The record has the size and the checksum of the file.
	require.NoError(t, failure)
	require.NotNil(t, record)
	require.Equal(t, size, record.OriginalLength)

	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, err := io.Copy(sum, &pattern{end: size})
	require.NoError(t, err)
	require.True(t, record.CRC32C.Known)
	require.Equal(t, sum.Sum32(), record.CRC32C.Sum)

	// The file can be read.
	r, _, err := s.Download(t.Context(), record.ID)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r) // which compares the checksum
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, size, n)

	// The heap has grown little.
	peak := heap()
	t.Logf("%d MiB in %d parts: the heap grew by %.1f MiB at most", size>>20, count, float64(peak)/(1<<20))
	require.Less(t, peak, uint64(largeHeap))
}

// watchHeap measures the heap again and again until the returned function is called. That function
// returns the largest growth in bytes.
func watchHeap() func() uint64 {
	debug.FreeOSMemory()
	var before, current runtime.MemStats
	runtime.ReadMemStats(&before)

	stop := make(chan struct{})
	done := make(chan struct{})
	var peak uint64
	go func() {
		defer close(done)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				runtime.ReadMemStats(&current)
				peak = max(peak, current.HeapAlloc-min(current.HeapAlloc, before.HeapAlloc))
			}
		}
	}()

	return func() uint64 {
		close(stop)
		<-done
		return peak
	}
}

// A pattern has the bytes of a large file between two offsets. They come from a block of random
// bytes, and each MiB of the file begins at another offset in that block.
type pattern struct{ offset, end int64 }

const (
	noiseBytes = 2 << 20
	noiseStep  = 7919 // of one MiB to the next
)

var noise = text(noiseBytes, 7)

// Read reads to the end of the present MiB at most.
func (p *pattern) Read(b []byte) (int, error) {
	if p.offset == p.end {
		return 0, io.EOF
	}

	const mib = 1 << 20
	offsetInMiB := p.offset % mib
	noiseStart := p.offset / mib * noiseStep % mib // where this MiB begins in the noise
	start := noiseStart + offsetInMiB
	length := min(mib-offsetInMiB, p.end-p.offset)

	n := copy(b, noise[start:start+length])
	p.offset += int64(n)
	return n, nil
}

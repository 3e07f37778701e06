package engine

import (
	"context"
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/running"
)

// A download keeps no buffer for a section after it was written at its offset in the file.
func TestWriteToAFileKeepsNoBuffer(t *testing.T) {
	// The fetch reads one section at a time.
	const (
		start        = 0 // offset of the first section
		sections     = 100
		sectionBytes = 1
		connections  = 1
	)
	d := &download{ctx: t.Context()}
	fetch := newFetch(d, start, running.FixedLimit(connections), sectionBytes)
	defer fetch.cancel()
	sink := &fileSink{fetch: fetch}

	// Begin and end the sections one after the other, as the fetch does.
	heapBefore := heapAfterGC()
	for range sections {
		require.NoError(t, fetch.limit.Acquire(t.Context()))
		s := &section{fetched: newFetched()}
		s.set(start, sectionBytes)
		require.NoError(t, sink.add(s))
		sink.end(s, nil)

		// A garbage collection empties the pool, so that no later section reuses the buffer.
		_ = heapAfterGC()
	}

	// If each section kept its buffer, the heap would have grown by all of them.
	const allBuffers = sections * bodyio.ChunkSize
	require.Less(t, heapAfterGC()-heapBefore, int64(allBuffers/4))
	runtime.KeepAlive(sink)
}

// heapAfterGC returns the bytes that are in use. The second collection empties the pools.
func heapAfterGC() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// A download to a file has at most maxConcurrency requests at the same time, even if WithConcurrency is larger.
func TestWriteToAFileLimitsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, err := os.Create(filepath.Join(t.TempDir(), "to"))
		require.NoError(t, err)
		defer func() {
			require.NoError(t, file.Close())
		}()
		ctx, cancel := context.WithCancel(t.Context())

		// The store has a large object, and delivers no byte.
		const moreThanMax = 1 << 14
		store := &silent{Driver: &oneObject{}}
		reader, err := New(store).Download(ctx, "k", storage.WithConcurrency(moreThanMax))
		require.NoError(t, err)

		// WriteTo sends requests until it has to wait for bytes.
		done := make(chan error, 1)
		go func() {
			_, err := reader.WriteTo(file)
			done <- err
		}()
		synctest.Wait()
		require.EqualValues(t, maxConcurrency, store.requests.Load())

		// When ctx ends, the download ends.
		cancel()
		require.ErrorIs(t, <-done, storage.Canceled)
		require.NoError(t, reader.Close())
	})
}

// A silent driver has an object of 1 TiB, and delivers no byte of it before ctx ends.
type silent struct {
	driver.Driver
	requests atomic.Int64
}

func (d *silent) Get(ctx context.Context, _ *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	d.requests.Add(1)
	return &storage.Attrs{Size: 1 << 40, Revision: "1"}, silence{ctx}, nil
}

type silence struct{ ctx context.Context }

func (s silence) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (silence) Close() error { return nil }

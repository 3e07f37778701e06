package storage

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/concurrency"
)

// A large file has many ranges, which are kept until the last for their checksums.
func TestARangeThatWasWrittenInPlaceKeepsNoBuffer(t *testing.T) {
	const ranges = 100
	sink := &fileSink{d: &download{}, limit: concurrency.Fixed(1)}
	used := func() int64 {
		var m runtime.MemStats
		for range 2 { // the second one empties the pool
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := used()
	for range ranges {
		require.NoError(t, sink.limit.Acquire(t.Context()))
		sink.add(0, 1).end(nil)
		_ = used()
	}
	require.Less(t, used()-before, int64(ranges*copyBytes/4))
	runtime.KeepAlive(sink)
}

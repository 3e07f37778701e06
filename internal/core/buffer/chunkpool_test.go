package buffer

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The pool keeps a free chunk over several garbage collections.
func TestChunkPoolSurvivesGarbageCollections(t *testing.T) {
	p := &chunkPool{size: secondChunk}
	first := p.get()
	p.put(first)
	for range 4 {
		runtime.GC()
	}
	require.Same(t, &first[0], &p.get()[0])
	require.NotSame(t, &first[0], &p.get()[0], "it is in use")
}

// If chunks were not in use for some time, trim drops them.
func TestChunkPoolDropsChunks(t *testing.T) {
	now := time.Unix(1, 0)
	p := &chunkPool{size: secondChunk, trimmed: now}
	use := func(n int) {
		var taken [][]byte
		for range n {
			taken = append(taken, p.get())
		}
		for _, c := range taken {
			p.put(c)
		}
	}
	for _, step := range []struct {
		name string
		uses int // chunks at once since the last trim
		wait time.Duration
		kept int
	}{
		{"a large upload", 8, 0, 8},
		{"a collection soon after", 0, chunkIdle / 2, 8},
		{"the time is over, but they were new", 0, chunkIdle, 8},
		{"small uploads since then", 3, chunkIdle, 3},
		{"they are in use again and again", 3, chunkIdle, 3},
		{"none", 0, chunkIdle, 0},
	} {
		use(step.uses)
		now = now.Add(step.wait)
		p.trim(now)
		require.Len(t, p.free, step.kept, step.name)
	}
	require.False(t, p.watched, "an empty pool waits for nothing")
}

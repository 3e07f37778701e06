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
		var chunks [][]byte
		for range n {
			chunks = append(chunks, p.get())
		}
		for _, c := range chunks {
			p.put(c)
		}
	}

	tests := []struct {
		name string
		uses int // chunks at once since the last trim
		wait time.Duration
		kept int
	}{
		{name: "a large upload", uses: 8, kept: 8},
		{name: "a collection soon after", wait: chunkIdle / 2, kept: 8},
		{name: "the time is over, but they were new", wait: chunkIdle, kept: 8},
		{name: "small uploads since then", uses: 3, wait: chunkIdle, kept: 3},
		{name: "they are in use again and again", uses: 3, wait: chunkIdle, kept: 3},
		{name: "none", wait: chunkIdle},
	}
	for _, tt := range tests {
		use(tt.uses)
		now = now.Add(tt.wait)
		p.trim(now)
		require.Len(t, p.free, tt.kept, tt.name)
	}
	require.False(t, p.watched, "an empty pool waits for nothing")
}

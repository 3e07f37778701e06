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

	// Each step begins with the pool of the step before.
	steps := []struct {
		name   string
		chunks int // that are used at the same time
		wait   time.Duration
		want   int // chunks that the pool keeps
	}{
		{name: "a large upload", chunks: 8, want: 8},
		{name: "a collection soon after", wait: chunkIdle / 2, want: 8},
		{name: "the time is over, but they were new", wait: chunkIdle, want: 8},
		{name: "small uploads since then", chunks: 3, wait: chunkIdle, want: 3},
		{name: "they are in use again and again", chunks: 3, wait: chunkIdle, want: 3},
		{name: "none", wait: chunkIdle, want: 0},
	}
	for _, step := range steps {
		use(step.chunks)
		now = now.Add(step.wait)
		p.trim(now)
		require.Len(t, p.free, step.want, step.name)
	}
	require.False(t, p.watched, "an empty pool waits for nothing")
}

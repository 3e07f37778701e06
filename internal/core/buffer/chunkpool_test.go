package buffer

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The pool keeps a free chunk over several garbage collections, and gives it out once.
func TestChunkPoolSurvivesGarbageCollections(t *testing.T) {
	p := &chunkPool{size: secondChunk}
	first := p.get()
	p.put(first)
	for range 4 {
		runtime.GC()
	}

	second := p.get()
	third := p.get()
	require.Same(t, &first[0], &second[0])
	require.NotSame(t, &first[0], &third[0])
}

// The method trim drops the chunks that were not in use for the time chunkIdle.
func TestChunkPoolDropsChunks(t *testing.T) {
	now := time.Unix(1, 0)
	p := &chunkPool{size: secondChunk, trimmed: now}
	// useAtOnce gets count chunks before it puts one back.
	useAtOnce := func(count int) {
		var chunks [][]byte
		for range count {
			chunks = append(chunks, p.get())
		}
		for _, chunk := range chunks {
			p.put(chunk)
		}
	}

	// The steps use one pool, one after the other.
	steps := []struct {
		name     string
		used     int // chunks that are in use at the same time
		wait     time.Duration
		wantKept int
	}{
		{name: "a large upload", used: 8, wantKept: 8},
		{name: "too soon", wait: chunkIdle / 2, wantKept: 8},
		{name: "used in this period", wait: chunkIdle, wantKept: 8},
		{name: "a period of small uploads", used: 3, wait: chunkIdle, wantKept: 3},
		{name: "another one", used: 3, wait: chunkIdle, wantKept: 3},
		{name: "a period without uploads", wait: chunkIdle, wantKept: 0},
	}
	for _, step := range steps {
		useAtOnce(step.used)
		now = now.Add(step.wait)
		p.trim(now)
		require.Len(t, p.free, step.wantKept, step.name)
	}
	require.False(t, p.watched, "an empty pool must not be watched")
}

package storage

import (
	"sync"

	"github.com/omnibucket/storage/internal/buffer"
)

const defaultBufferLimitBytes = 128 << 20

// A BufferLimit bounds the transfer buffers of all buckets that share it. The blocks that [ReaderAt]
// keeps are part of the limit, and give way to transfers.
//
// No transfer waits for ever. If no granted buffer is on its way to or from a store, only a caller
// could free one: then the next request is granted 64 KiB over the limit.
type BufferLimit struct{ limit buffer.Limit }

// NewBufferLimit makes a BufferLimit of limit bytes; below 1 MiB it is 1 MiB.
func NewBufferLimit(limit int64) *BufferLimit {
	return &BufferLimit{buffer.Limit{Max: max(limit, 1<<20)}}
}

var defaultBufferLimit = sync.OnceValue(func() *BufferLimit { return NewBufferLimit(defaultBufferLimitBytes) })

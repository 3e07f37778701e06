package uploads

import (
	"context"
	"time"

	"github.com/omnibucket/storage/internal/partsize"
)

// BasePart is the size of parts of files that are not huge.
const BasePart = partsize.Base

// FeedBytes is the memory of a request that sends bytes.
const FeedBytes = feedBytes

// SetPace makes a handler impatient.
func (s *Service) SetPace(tick, checkpoint, idle time.Duration) {
	s.tus.pace.tick, s.tus.pace.checkpoint, s.tus.pace.idle = tick, checkpoint, idle
}

// SetMemory changes Config.MemoryLimit to any number of bytes.
func (s *Service) SetMemory(bytes int64) { s.tus.memory.limit = bytes }

// Memory is the memory of uploads.
type Memory = memory

// NewMemory returns a memory of this many bytes.
func NewMemory(limit int64) *Memory { return newMemory(limit) }

// Acquire takes bytes for a user.
func (m *memory) Acquire(ctx context.Context, user string, bytes int64) bool {
	return m.acquire(ctx, user, bytes)
}

// Release returns bytes of a user.
func (m *memory) Release(user string, bytes int64) { m.release(user, bytes) }

// SetFeeds sets how many requests may send bytes at once, and how long others wait.
func (s *Service) SetFeeds(n int64, wait time.Duration) {
	s.tus.feeds.limit, s.tus.feeds.wait = n*feedBytes, wait
}

// FeedsUsed returns how many bytes the requests that send bytes have.
func (s *Service) FeedsUsed() int64 { return s.tus.feeds.inUse() }

// Memory returns the bytes that all buffers may take.
func (s *Service) Memory() int64 { return s.tus.memory.limit + s.tus.feeds.limit }

// MemoryUsed returns how many bytes of parts there are.
func (s *Service) MemoryUsed() int64 { return s.tus.memory.inUse() }

func (m *memory) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

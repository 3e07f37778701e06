package uploads

import (
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
func (s *Service) SetMemory(bytes int64) { s.tus.memory.Limit = bytes }

// SetFeeds sets how many requests may send bytes at once, and how long others wait.
func (s *Service) SetFeeds(n int64, wait time.Duration) {
	s.feeds.Limit, s.feeds.Wait = n*feedBytes, wait
}

// FeedsUsed returns how many bytes the requests that send bytes have.
func (s *Service) FeedsUsed() int64 { return s.feeds.Used() }

// Memory returns the bytes that all buffers may take.
func (s *Service) Memory() int64 { return s.tus.memory.Limit + s.feeds.Limit }

// MemoryUsed returns how many bytes of parts there are.
func (s *Service) MemoryUsed() int64 { return s.tus.memory.Used() }

// BodiesUsed returns how many bytes the bucket may hold of the requests that send bytes.
func (s *Service) BodiesUsed() int64 { return s.bodies.Used() }

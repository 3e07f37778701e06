package uploads

import (
	"time"

	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/partsize"
)

// BasePart is the size of parts of files that are not huge.
const BasePart = partsize.Base

// FeedBytes is the memory of a request that sends bytes.
const FeedBytes = intake.FeedBytes

// SetPace sets the times after which the handler looks at a body, stores what has arrived, and ends a silent client.
func (s *Service) SetPace(tick, checkpoint, idle time.Duration) {
	s.handler.tus.Pace.Tick = tick
	s.handler.tus.Pace.Checkpoint = checkpoint
	s.handler.tus.Pace.Idle = idle
}

// SetMemory changes Config.MemoryLimit to any number of bytes.
func (s *Service) SetMemory(bytes int64) { s.setup.memory.Parts.Limit = bytes }

// SetFeeds sets how many requests may send bytes at once, and how long others wait.
func (s *Service) SetFeeds(n int64, wait time.Duration) {
	s.setup.memory.Feeds.Limit = n * intake.FeedBytes
	s.setup.memory.Feeds.Wait = wait
}

// FeedsUsed returns how many bytes of memory are in use by requests that are sending data.
func (s *Service) FeedsUsed() int64 { return s.setup.memory.Feeds.Used() }

// Memory returns the bytes that all buffers may take.
func (s *Service) Memory() int64 { return s.setup.memory.Parts.Limit + s.setup.memory.Feeds.Limit }

// MemoryUsed returns how many bytes of parts there are.
func (s *Service) MemoryUsed() int64 { return s.setup.memory.Parts.Used() }

// BodiesUsed returns how many bytes of the memory for bodies of requests are in use.
func (s *Service) BodiesUsed() int64 { return s.setup.memory.Bodies.Used() }

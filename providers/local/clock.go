package local

import (
	"sync/atomic"
	"time"
)

// A clock gives each write of a driver its time. Each is at least a microsecond
// later than the one before, also when the clock stands or steps back, because
// a file's time is half of its revision. Between drivers a clock that runs does
// that by itself: an inode is used again only when the file that had it is
// gone, some microseconds after that file's time was taken.
type clock struct {
	now  func() time.Time
	last atomic.Int64 // nanoseconds since 1970
}

func (c *clock) next() time.Time {
	for {
		last := c.last.Load()
		next := c.now().UnixNano()
		if last != 0 {
			next = max(next, last+int64(time.Microsecond))
		}
		if c.last.CompareAndSwap(last, next) {
			return time.Unix(0, next)
		}
	}
}

// pass has the next stamp be later than at.
func (c *clock) advance(at int64) {
	for {
		last := c.last.Load()
		if last >= at || c.last.CompareAndSwap(last, at) {
			return
		}
	}
}

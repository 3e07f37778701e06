package local

import (
	"sync/atomic"
	"time"
)

// A clock gives each write of a driver its time. Times increase by at least a microsecond,
// even if the system clock stops or goes back: the time is a part of the revision. Two drivers need no common clock. An inode is reused
// only after its file is removed, some microseconds after the time of that file.
type clock struct {
	now  func() time.Time
	last atomic.Int64 // Unix time in nanoseconds
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

// advance makes the next time later than at.
func (c *clock) advance(at int64) {
	for {
		last := c.last.Load()
		if last >= at || c.last.CompareAndSwap(last, at) {
			return
		}
	}
}

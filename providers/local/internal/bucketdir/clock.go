package bucketdir

import (
	"sync/atomic"
	"time"
)

// A Clock returns the time for each write of a driver. Each time is at least a microsecond later
// than the one before, even if the system clock stops or goes back. A revision consists of a time
// and an inode. So two writes of one driver never have the same revision.
//
// Two drivers have separate clocks, so their writes could have the same time. But two files have
// the same inode only if the first file was removed before the second was created. The removal
// takes some microseconds, so the second file has a later time. Two writes of different drivers
// therefore never have the same revision.
type Clock struct {
	Now      func() time.Time
	lastTime atomic.Int64 // Unix time in nanoseconds
}

// Next returns the time for a write: the current time, but at least a microsecond after the time of
// the last write.
func (c *Clock) Next() time.Time {
	for {
		last := c.lastTime.Load()
		next := c.Now().UnixNano()
		if last != 0 {
			// There was a write before this one.
			next = max(next, last+int64(time.Microsecond))
		}

		// Try again if another write has taken a time meanwhile.
		if c.lastTime.CompareAndSwap(last, next) {
			return time.Unix(0, next)
		}
	}
}

// Advance makes the next time later than nano, a Unix time in nanoseconds.
func (c *Clock) Advance(nano int64) {
	for {
		last := c.lastTime.Load()
		if last >= nano || c.lastTime.CompareAndSwap(last, nano) {
			return
		}
	}
}

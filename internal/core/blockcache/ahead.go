package blockcache

// One request may read ahead at most 1/aheadShare of the cache. A sequential reader may have two
// such requests in progress. The rest of the cache holds the blocks that it has just read.
const aheadShare = 4

// maxBlocks returns how many blocks the cache holds.
func (c *Cache) maxBlocks() int64 {
	// If BlockSize+blockOverhead overflows, it is negative, and max returns BlockSize.
	return c.Max / max(c.BlockSize, c.BlockSize+blockOverhead)
}

// maxAhead returns how many blocks one request may read ahead.
func (c *Cache) maxAhead() int64 { return c.maxBlocks() / aheadShare }

// window returns how many blocks to fetch from the block with the number on: twice as many as the
// previous request if access is sequential, and otherwise 0.
func (c *Cache) window(number int64, s *scan) int64 {
	if prev := c.blocks[number-1]; prev != nil {
		return 2 * prev.run
	}
	// The previous request has bypassed the cache, or there was none, so that direct is 0.
	return 2 * s.direct
}

// reserveAhead adds up to n empty blocks to the cache, for reading ahead, and returns them. It stops early at
// a block that is already in the cache, or when there is no room.
//
// To make room, it evicts blocks that were already read. It does not evict blocks that were read ahead and
// are still needed, because sequential readers would evict each other's blocks.
//
// If expected is true, because the probable end of the scan is known (see scans), reserveAhead may
// also evict blocks that were fetched long ago and never read.
func (c *Cache) reserveAhead(first, n int64, expected bool) (blocks []*block) {
	end := min(first+n, c.count)
	for number := first; number < end; number++ {
		if c.blocks[number] != nil {
			// The request must read consecutive blocks, and this one is there already.
			return blocks
		}

		// Evict other blocks until there is room for this one.
		bytes := c.memory(number, 1)
		for c.bytes+bytes > c.Max {
			front := c.idle.Front()
			if front == nil {
				return blocks
			}
			oldest := front.Value.(*block)
			if !c.mayReplace(oldest, expected) {
				return blocks
			}
			oldest.evict()
		}
		if !c.Limit.Take(bytes) {
			// Other transfers use the memory.
			return blocks
		}
		blocks = append(blocks, c.add(number))
	}
	return blocks
}

// mayReplace reports whether reserveAhead may evict b for another block: one that was read, or, if
// the end of the scan is expected, one that has waited long for being read.
func (c *Cache) mayReplace(b *block, expected bool) bool {
	if b.isRead {
		return true
	}
	isOld := c.used-b.since > c.maxBlocks()/2
	return expected && isOld
}

// scans holds the latest scans. A scan is a series of ReadAts. Each ReadAt of a scan begins where
// the previous one ended. Several scans may be in progress at the same time, for example when the
// columns of a table are read together.
//
// The last two scans predict the length of the next scan. The predicted length is the length of the
// shorter scan. The cache tries to fetch the predicted length with one request. If one of the two
// scans had only one ReadAt, there is no prediction. Without a prediction, each request of the next
// scan is twice as large as the previous request.
type scans struct {
	latest [8]scan // a ring
	count  int     // number of scans that have begun since the cache was opened
}

type scan struct {
	begin, end int64 // range of the object that the scan has read so far
	reads      int
	expected   int64 // offset at which the scan probably ends; 0 if unknown
	direct     int64 // number of blocks of the last request, if it bypassed the cache; otherwise 0
}

// add records a ReadAt, and returns the scan, a series of consecutive ReadAts, that it continues or
// begins.
func (s *scans) add(off, length int64) *scan {
	for i := range s.latest {
		if s.latest[i].isContinuedAt(off) {
			s.latest[i].add(off, length)
			return &s.latest[i]
		}
	}

	// Expect the new scan to be as long as the shorter of the latest two. A length of 0 is unknown.
	expected := int64(0)
	if predicted := min(s.lengthOf(1), s.lengthOf(2)); predicted > 0 {
		expected = off + predicted
	}

	// The new scan takes the place of the oldest one in the ring.
	sc := &s.latest[s.count%len(s.latest)]
	*sc = scan{begin: off, end: off + length, reads: 1, expected: expected}
	s.count++
	return sc
}

// isContinuedAt reports whether a ReadAt at the offset belongs to the scan, because it begins within
// what the scan has read, or at its end.
func (sc *scan) isContinuedAt(off int64) bool {
	return sc.reads > 0 && sc.begin <= off && off <= sc.end
}

// add adds a ReadAt to the scan.
func (sc *scan) add(off, length int64) {
	if off < sc.end {
		// The ReadAt reads bytes again, so it does not follow the request that bypassed the cache.
		sc.direct = 0
	}
	sc.reads++
	sc.end = max(sc.end, off+length)
}

// lengthOf returns the length in bytes of the nth latest scan, or 0 if there is none or it had only
// one ReadAt.
func (s *scans) lengthOf(n int) int64 {
	if n > s.count {
		return 0
	}
	sc := &s.latest[(s.count-n)%len(s.latest)] // latest is a ring
	if sc.reads < 2 {
		return 0
	}
	return sc.end - sc.begin
}

package blockcache

// aheadShare is the part of a cache that one request may read ahead. A sequential reader
// has two such requests and the blocks that it has just read.
const aheadShare = 4

// maxBlocks returns how many blocks the cache holds.
func (c *Cache) maxBlocks() int64 {
	return c.Max / max(c.BlockSize, c.BlockSize+blockOverhead) // the sum may overflow
}

// maxAhead returns how many blocks one request may read ahead.
func (c *Cache) maxAhead() int64 { return c.maxBlocks() / aheadShare }

// window returns how many blocks to fetch from number on if access is sequential: twice as
// many as came with the block before it. Else it returns 0.
func (c *Cache) window(number int64) int64 {
	if before := c.blocks[number-1]; before != nil {
		return 2 * before.run
	}
	return 2 * c.direct.endingAt(number)
}

// reserveAhead adds up to n blocks to be read ahead. They do not replace an unread block:
// otherwise several sequential readers would evict what was read ahead for the others. If the
// new blocks are expected to be read, they replace an unread block that is old.
func (c *Cache) reserveAhead(first, n int64, expected bool) (blocks []*block) {
	for number := first; number < min(first+n, c.count) && c.blocks[number] == nil; number++ {
		bytes := c.memory(number, 1)
		for c.bytes+bytes > c.Max {
			oldest := c.idle.Front()
			if oldest == nil || !c.mayReplace(oldest.Value.(*block), expected) {
				return blocks
			}
			oldest.Value.(*block).evict()
		}
		if !c.Limit.Take(bytes) {
			return blocks
		}
		blocks = append(blocks, c.add(number))
	}
	return blocks
}

// mayReplace reports whether blocks that are read ahead may replace b.
func (c *Cache) mayReplace(b *block, expected bool) bool {
	return b.isRead || expected && c.used-b.since > c.maxBlocks()/2
}

// directReads remembers where the latest reads ended that bypassed the cache, so that
// sequential ones are recognized.
type directReads struct {
	ends [8]struct{ block, run int64 }
	next int
}

func (d *directReads) add(block, run int64) {
	d.ends[d.next%len(d.ends)].block, d.ends[d.next%len(d.ends)].run = block, run
	d.next++
}

// endingAt returns the blocks of a read that ended in the given block or the one before
// it; 0 if there was none.
func (d *directReads) endingAt(block int64) int64 {
	for _, end := range d.ends {
		if end.run > 0 && (end.block == block || end.block == block-1) {
			return end.run
		}
	}
	return 0
}

// Scans are the latest series of ReadAts that each begin where the one before ended. Several may
// be in progress at once, as when columns of a table are read together. If the last two scans were
// long, the next one probably is, too. Then it is fetched at once, up to the length of the shorter
// of the two. Otherwise its requests double in size.
type scans struct {
	latest [8]scan // a ring
	count  int     // how many scans have begun
}

type scan struct {
	begin, end int64 // offsets in the object
	reads      int
	expected   int64 // where it probably ends; 0: not known
}

// add adds a ReadAt, and returns where its scan probably ends; 0 if that is not known.
func (s *scans) add(off, length int64) (expected int64) {
	for i := range s.latest {
		one := &s.latest[i]
		if one.reads > 0 && one.begin <= off && off <= one.end {
			one.reads++
			one.end = max(one.end, off+length)
			return one.expected
		}
	}
	one := scan{begin: off, end: off + length, reads: 1}
	if like := min(s.before(1), s.before(2)); like > 0 {
		one.expected = off + like
	}
	s.latest[s.count%len(s.latest)] = one
	s.count++
	return one.expected
}

// before returns the length of a scan that began n scans ago; 0 if it was only one ReadAt.
func (s *scans) before(n int) int64 {
	if n > s.count {
		return 0
	}
	one := &s.latest[(s.count-n)%len(s.latest)]
	if one.reads < 2 {
		return 0
	}
	return one.end - one.begin
}

package blockcache

// One request may read ahead one part in aheadShare of a cache. A sequential reader has two
// such requests and the blocks that it has just read.
const aheadShare = 4

// maxBlocks returns how many blocks the cache holds.
func (c *Cache) maxBlocks() int64 {
	return c.Max / max(c.BlockSize, c.BlockSize+blockOverhead) // the sum may overflow
}

// maxAhead returns how many blocks one request may read ahead.
func (c *Cache) maxAhead() int64 { return c.maxBlocks() / aheadShare }

// window returns how many blocks to fetch from number on for a ReadAt of a scan if access is sequential:
// twice as many as came with the block before it, or directly. Otherwise it returns 0.
func (c *Cache) window(number int64, s *scan) int64 {
	if before := c.blocks[number-1]; before != nil {
		return 2 * before.run
	}
	return 2 * s.direct
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

// scans are the latest series of ReadAts that each begin where the one before ended. Several may
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
	expected   int64 // where it probably ends; 0 means not known
	direct     int64 // number of blocks of the request before end that bypassed the cache; 0 if none did
}

// add adds a ReadAt, and returns its scan.
func (s *scans) add(off, length int64) *scan {
	for i := range s.latest {
		one := &s.latest[i]
		if one.reads > 0 && one.begin <= off && off <= one.end {
			if off < one.end {
				one.direct = 0
			}
			one.reads++
			one.end = max(one.end, off+length)
			return one
		}
	}
	one := &s.latest[s.count%len(s.latest)]
	*one = scan{begin: off, end: off + length, reads: 1}
	if like := min(s.before(1), s.before(2)); like > 0 {
		one.expected = off + like
	}
	s.count++
	return one
}

// before returns the length of a scan that began n scans ago; or 0 if the scan was only one
// ReadAt.
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

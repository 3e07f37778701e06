package blockcache

// Scans are the latest series of ReadAts that each begin where the one before ended. Several may
// be in progress at once, as when columns of a table are read together. If the last two scans were
// long, the next one probably is, too. Then it is fetched at once, up to the length of the shorter
// of the two. Otherwise its requests double in size.
type scans struct {
	latest [8]scan // a ring
	count  int     // of all so far
}

type scan struct {
	begin, end int64 // in the object
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

package storage

const (
	defaultPartSize    = 5 << 20 // S3's minimum
	maxInPlacePart     = 32 << 20
	equalPartSize      = 16 << 20
	defaultConcurrency = 12
	maxConcurrency     = 1000 // more connections than that make no upload faster
	// streamBuffers is about what the parts of one stream take in memory without
	// options, in bytes.
	streamBuffers = 64 << 20
	// If parts may grow, they double after each growthStep parts, so that 10,000
	// parts that begin with 5 MiB reach S3's 5 TiB.
	growthStep = 1000
	// Each sequential part waits for a response. Those of a stream double after each
	// sequentialStep parts, to four times the size of the first.
	sequentialStep = 8
)

// A partPlan decides into which parts a body is cut.
type partPlan struct {
	first       int64 // bytes of the first part
	maximum     int64 // bytes; 0: none
	doubleAfter int   // parts after which the size doubles; 0: never
	doublings   int   // at most
	concurrency int   // parts sent at once
}

// plan returns the plan for w's body.
func (w *write) plan() partPlan {
	c, given, inPlace := w.op.core, w.req.set.partSize, w.src.at != nil
	p := partPlan{maximum: c.desc.MaxPartSize, first: w.firstPart()}
	switch {
	case given > 0 || c.has(EqualParts) || inPlace:
	case c.has(SequentialParts):
		p.doubleAfter, p.doublings = sequentialStep, 2
	case w.src.size < 0 && c.desc.MaxParts > 0:
		p.doubleAfter, p.doublings = growthStep, 20
	}
	p.concurrency = w.maxConcurrency()
	if w.req.set.concurrency == 0 && !inPlace && given == 0 && p.concurrency > 1 {
		p.concurrency = max(1, min(p.concurrency, int(streamBuffers/p.first)))
	}
	return p
}

// size returns the size in bytes of part number, from 1.
func (p *partPlan) size(number int) int64 {
	size := p.first
	if p.doubleAfter > 0 {
		size <<= min((number-1)/p.doubleAfter, p.doublings)
	}
	if p.maximum > 0 {
		size = min(size, p.maximum)
	}
	return size
}

// firstPart returns the size in bytes of the first part.
func (w *write) firstPart() int64 {
	if w.journal.Begun() {
		return w.journal.Header().PartSize
	}
	if given := w.req.set.partSize; given > 0 {
		return given
	}
	c, body := w.op.core, w.src.size
	d := &c.desc
	size := int64(defaultPartSize)
	if d.PartSize > 0 {
		size = d.PartSize
	}
	if w.src.at != nil { // a larger part costs no memory, and the parts end together
		size = min(max(size, body/int64(w.maxConcurrency())), maxInPlacePart)
	}
	if c.has(EqualParts) && body < 0 {
		size = equalPartSize
	}
	if body >= 0 && d.MaxParts > 0 {
		size = max(size, (body+int64(d.MaxParts)-1)/int64(d.MaxParts))
	}
	size = max(size, d.MinPartSize)
	if d.MaxPartSize > 0 {
		size = min(size, d.MaxPartSize)
	}
	if unit := d.PartUnit; unit > 0 {
		size = (size + unit - 1) / unit * unit
	}
	return size
}

// maxConcurrency returns how many parts may be sent at once.
func (w *write) maxConcurrency() int {
	switch n := int(w.req.set.concurrency); {
	case w.op.core.has(SequentialParts):
		return 1
	case n > 0:
		return min(n, maxConcurrency)
	}
	return defaultConcurrency
}

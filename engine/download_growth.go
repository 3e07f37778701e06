package engine

import (
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/concurrency"
)

const (
	// fastConnection is how many bytes a second one connection must deliver so that
	// others are not worth their requests.
	fastConnection = 150 << 20
	// growthSample is after how many bytes the throughput of a connection is known.
	growthSample = 1 << 20
	// growthLeast is how many bytes must be left to justify further connections.
	growthLeast = 8 << 20

	beginRanges = 4  // at once, besides the first connection
	mostRanges  = 16 // at once
)

// A growth watches the first connection of a download without [storage.WithConcurrency], and
// decides whether more of them would help. They do if the connection is slow and its reader
// is not. There must be memory for the ranges, so that they do not wait for other transfers.
type growth struct {
	on      bool
	inPlace bool          // the ranges need no memory
	begun   time.Time     // start of this sample
	waited  time.Duration // for the connection
	bytes   int64
}

// readWatched reads the first connection, and prepares parallel ranges if it is slow.
func (d *download) readWatched(p []byte) (int, *storage.Error) {
	g := &d.growth
	began := time.Now()
	if g.bytes == 0 {
		g.begun, g.waited = began, 0
	}
	n, e := d.stream.read(p)
	g.waited += time.Since(began)
	if g.bytes += int64(n); g.bytes < growthSample || e != nil {
		return n, e
	}
	rate, slow := g.measure(time.Since(g.begun))
	if slow && d.left-int64(n) >= growthLeast {
		d.grow(rate)
	}
	g.bytes = 0
	return n, nil
}

// measure returns the rate of the connection in bytes a second over a sample, and whether it is slow
// while its reader is not: the reader has mostly waited for it.
func (g *growth) measure(took time.Duration) (rate float64, slow bool) {
	rate = float64(g.bytes) / max(g.waited.Seconds(), 1e-9)
	return rate, rate < fastConnection && 2*g.waited > took
}

// grow divides what the first connection, of that rate, has not delivered. The connection
// delivers a little more. The next read begins parallel ranges for the rest.
func (d *download) grow(rate float64) {
	const keep = 2 << 20 // by then, the first ranges have come
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	most, promised := int64(mostRanges), int64(0)
	if !d.growth.inPlace {
		promised = d.op.core.bufferLimit.Reserve(mostRanges * maxRangeBytes)
		most = promised / maxRangeBytes
	}
	if most < 2 { // not now: each sample decides again
		d.op.core.bufferLimit.Unreserve(promised)
		return
	}
	s := &d.stream
	req := *s.req // the ranges copy the original
	s.req = &req
	from := req.Offset + keep
	d.ranges = newRangeReader(d, from, concurrency.Growing(beginRanges, int(most), rate), 0)
	d.ranges.promised = promised
	s.pin(d.revision, req.Offset, keep)
}

// growingLength returns the length in bytes of a range that many bytes after the first
// one: the first ones are short, so that their throughput is soon known.
func growingLength(after, most int64) int64 {
	const least = 1 << 20
	return min(max(after/beginRanges/least*least, least), most)
}

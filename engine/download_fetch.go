package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/chunks"
	"github.com/omnibucket/storage/internal/concurrency"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/rangeplan"
)

const (
	minSectionBytes = 64 << 10
	maxSectionBytes = 4 << 20

	initialSections     = 4  // sections at once in the beginning, besides the first connection
	maxAdaptiveSections = 16 // sections at once after growth
)

// A fetch divides a span of a download into sections, and reads several at once, as many as its
// Limit permits. The sink takes their bytes.
type fetch struct {
	d         *download
	ctx       context.Context
	cancel    context.CancelFunc
	req       driver.GetRequest // reads the pinned revision
	from, end int64             // the bytes of the object that are read
	size      int64             // bytes of a section; 0 if sections grow
	maxSize   int64             // bytes of the largest section if they grow
	limit     *concurrency.Limit
	group     panics.Group
	last      <-chan struct{} // done of the section that began last; nil if none did
	active    atomic.Int32    // how many sections have or seek a connection

	sink    sink        // nil until the first read
	buffers *bufferSink // the sink, if it has buffers
}

// A fetched has what a fetch and its sink keep of a section.
type fetched struct {
	done   chan struct{} // closed when the section has ended
	failed error         // why it failed
	buffer *buffer.Buffer
	chunk  *[chunks.Size]byte
	crc    uint32
}

func newFetched() *fetched { return &fetched{done: make(chan struct{})} }

// A sink takes the bytes of sections.
type sink interface {
	// add makes room for a section, which waits until there is memory. It is called in the order of
	// the sections. If it fails, the section ends.
	add(s *section) error
	// space returns memory for bytes of the section.
	space(s *section) ([]byte, error)
	// filled tells that n bytes are in p, the beginning of the last space.
	filled(s *section, p []byte) error
	// end is called once for each section, after its last byte or with how it failed.
	end(s *section, err error)
}

// newFetch returns a fetch of what follows from in a download.
func newFetch(d *download, from int64, limit *concurrency.Limit, size int64) *fetch {
	offset, length := d.reader.Range()
	f := &fetch{
		d: d, req: d.first.req, from: from, end: offset + length, size: size, maxSize: maxSectionBytes, limit: limit,
	}
	f.ctx, f.cancel = context.WithCancel(d.ctx)
	d.first.fetched = newFetched()
	return f
}

// fixedFetch returns a fetch of what follows the first section. It reads as many sections at once as
// WithConcurrency says, which may be any number.
func (d *download) fixedFetch() *fetch {
	offset, length := d.reader.Range()
	length -= firstSectionBytes
	n := min(int64(d.concurrency), rangeplan.MaxAtOnce, (length+minSectionBytes-1)/minSectionBytes)
	size := min(max((length+n-1)/n, minSectionBytes), maxSectionBytes)
	return newFetch(d, offset+firstSectionBytes, concurrency.Fixed(int(n)), size)
}

// readProbed reads the first connection, and prepares a fetch if that is slow.
func (d *download) readProbed(p []byte) (int, *storage.Error) {
	began := time.Now()
	n, e := d.first.read(p)
	if e == nil {
		if rate, slow := d.probe.Read(began, n); slow && d.remaining-int64(n) >= growthLeast {
			d.grow(rate)
		}
	}
	return n, e
}

// grow divides the bytes that the first connection, which delivers at rate, has not delivered yet.
// The connection delivers a few more of them. The next read begins the fetch of the rest. There must
// be memory for it, so that it does not wait for other transfers.
func (d *download) grow(rate float64) {
	const keep = 2 << 20 // while it delivers these bytes, the first sections come
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	sections := int64(maxAdaptiveSections)
	if !d.toFile {
		d.reserved = d.op.core.bufferLimit.Reserve(maxAdaptiveSections * maxSectionBytes)
		sections = d.reserved / maxSectionBytes
	}
	if sections < 2 { // not now: each sample decides again
		d.unreserve()
		return
	}
	offset := d.first.req.Offset
	d.fetch = newFetch(d, offset+keep, concurrency.Growing(initialSections, int(sections), rate), 0)
	d.first.set(offset, keep)
}

// length returns how many bytes the section at offset has. If sections grow, the first ones are
// short, so that their throughput is soon known.
func (f *fetch) length(offset int64) int64 {
	const least = 1 << 20
	length := f.size
	if length == 0 {
		length = min(max((offset-f.from)/initialSections/least*least, least), f.maxSize)
	}
	return min(length, f.end-offset)
}

// run reads all sections. It returns when the last one has begun.
func (f *fetch) run() {
	for offset := f.from; offset < f.end; {
		if f.limit.Acquire(f.ctx) != nil {
			return
		}
		s := &section{d: f.d, ctx: f.ctx, req: f.req, fetched: newFetched()}
		length := f.length(offset)
		s.set(offset, length)
		if f.sink.add(s) != nil {
			return
		}
		f.start(s)
		offset += length
	}
}

// start reads a section in a goroutine.
func (f *fetch) start(s *section) {
	before := f.last
	f.last = s.fetched.done
	f.group.Go(func() {
		defer close(s.fetched.done)
		f.group.Do(func() { f.sink.end(s, f.fill(s, before)) }, func() { f.sink.end(s, errPanicked()) })
	}, nil)
}

// fill reads a section to its end. If the store refuses a section of a download that has grown by
// itself, the store may permit only few connections. The section then waits until those before it
// have ended, and is requested again until no other section was in its way.
func (f *fetch) fill(s *section, before <-chan struct{}) error {
	defer f.limit.Ended()
	defer s.close()
	f.active.Add(1)
	defer f.active.Add(-1)
	final := f.size > 0 // a refusal
	for s.remaining.Load() > 0 {
		free, err := f.sink.space(s)
		if err != nil {
			return asError(f.ctx, err)
		}
		n, e := s.read(free)
		switch {
		case e == nil:
			f.limit.Moved(int64(n))
			if err := f.sink.filled(s, free[:n]); err != nil {
				return err
			}
			continue
		case final || !e.Retryable:
			return e
		}
		f.limit.Refused()
		if final, err = f.waitForTurn(before); err != nil {
			return asError(f.ctx, err)
		}
		s.tried = backoff.Tries{}
	}
	return nil
}

// waitForTurn waits until the sections before this one have ended. It reports whether no later
// section has or seeks a connection. If one does, waitForTurn gives it a moment.
func (f *fetch) waitForTurn(before <-chan struct{}) (serial bool, err error) {
	const moment = 100 * time.Millisecond
	f.active.Add(-1)
	defer f.active.Add(1)
	if before != nil {
		select {
		case <-before:
		case <-f.ctx.Done():
			return false, f.ctx.Err()
		}
	}
	if f.active.Load() == 0 {
		return true, nil
	}
	return false, ctxtime.Sleep(f.ctx, moment)
}

// interrupted returns why the context is done, or nil if it is not.
func (f *fetch) interrupted() *storage.Error {
	switch {
	case f.d.ctx.Err() != nil:
		return asError(f.d.ctx, f.d.ctx.Err())
	case f.ctx.Err() != nil:
		return errClosed
	}
	return nil
}

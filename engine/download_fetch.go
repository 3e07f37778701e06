package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/core/rangeplan"
	"github.com/omnibucket/storage/internal/running"
)

const (
	minSectionBytes = 64 << 10
	maxSectionBytes = 4 << 20

	initialSections     = 4  // sections at the same time in the beginning, in addition to the first connection
	maxAdaptiveSections = 16 // sections at the same time after growth
)

// A fetch divides a span of a download into sections, and reads several at the same time, as many
// as its Limit permits. The bytes go into its sink.
type fetch struct {
	d         *download
	ctx       context.Context
	cancel    context.CancelFunc
	req       driver.GetRequest // a request for the pinned revision
	from, end int64             // the span that is fetched: offsets in the object
	size      int64             // bytes of a section; 0 if later sections are larger than the first
	maxSize   int64             // bytes of the largest section, if size is 0
	limit     *running.Limit
	group     running.Group
	last      <-chan struct{} // closed when the section that was started last has ended; nil if none was started
	active    atomic.Int32    // number of sections that have a connection or request one

	sink    sink        // nil until the first read
	buffers *bufferSink // the sink, if it has buffers
}

// fetched has the part of a section's state that only a fetch and its sink use.
type fetched struct {
	done   chan struct{} // closed when the section has ended
	err    error         // why the section failed, or nil
	buffer *buffer.Buffer
	chunk  *[bodyio.ChunkSize]byte
	crc    uint32
}

func newFetched() *fetched { return &fetched{done: make(chan struct{})} }

// A sink receives the bytes of sections.
type sink interface {
	// add reserves memory for a section, and waits until there is enough. It is called in the order
	// of the sections. If it fails, the section is not read.
	add(s *section) error
	// space returns memory for the next bytes of the section.
	space(s *section) ([]byte, error)
	// filled is called after bytes of the section were read into p. The memory of p comes from an
	// earlier call of space.
	filled(s *section, p []byte) error
	// end is called once for each section. err is nil if the last byte of the section was read.
	// Otherwise err is the error of the section.
	end(s *section, err error)
}

// newFetch returns a fetch of the bytes of d that begin at the offset start. size is the size of a
// section in bytes. If size is 0, the first sections are small, and later sections are larger.
func newFetch(d *download, start int64, limit *running.Limit, size int64) *fetch {
	offset, length := d.reader.Range()
	f := &fetch{
		d:       d,
		req:     d.first.req,
		from:    start,
		end:     offset + length,
		size:    size,
		maxSize: maxSectionBytes,
		limit:   limit,
	}
	f.ctx, f.cancel = context.WithCancel(d.ctx)
	d.first.fetched = newFetched()
	return f
}

// fixedFetch returns a fetch of the bytes after the first section. It reads as many sections at the
// same time as WithConcurrency asks for, up to a limit.
func (d *download) fixedFetch() *fetch {
	offset, length := d.reader.Range()
	rest := length - firstSectionBytes
	mostSections := ceilDiv(rest, minSectionBytes)
	sections := min(int64(d.concurrency), rangeplan.MaxAtOnce, mostSections)
	share := ceilDiv(rest, sections)
	size := min(max(share, minSectionBytes), maxSectionBytes)
	return newFetch(d, offset+firstSectionBytes, running.FixedLimit(int(sections)), size)
}

// ceilDiv returns a divided by b, rounded up.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// readProbed reads from the first connection, and measures it. If the connection is slow and many
// bytes remain, readProbed prepares a fetch.
func (d *download) readProbed(p []byte) (int, *storage.Error) {
	start := time.Now()
	n, e := d.first.read(p)
	if e != nil {
		return n, e
	}
	rate, isSlow := d.probe.Read(start, n)
	remaining := d.remaining - int64(n)
	if isSlow && remaining >= growthLeast {
		d.grow(rate)
	}
	return n, nil
}

// grow prepares a fetch, because the first connection is slow. rate is the bytes per second of that
// connection. The first connection still delivers the next 2 MiB, and the fetch delivers the rest.
// The next Read starts the fetch. If too little memory is free, grow does nothing, because the
// fetch must not wait for memory of other transfers.
func (d *download) grow(rate float64) {
	// keep is the number of bytes that the first connection still delivers. The first sections of
	// the fetch arrive in the meantime.
	const keep = 2 << 20
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	sections := int64(maxAdaptiveSections)
	if !d.toFile {
		// Reserve returns what is free, up to this number of bytes.
		d.reserved = d.op.engine.bufferLimit.Reserve(maxAdaptiveSections * maxSectionBytes)
		sections = d.reserved / maxSectionBytes
	}
	const leastSections = 2 // one section at a time is no faster than the first connection
	if sections < leastSections {
		// There is too little memory now; the next sample of the probe tries again.
		d.unreserve()
		return
	}
	offset := d.first.req.Offset
	initial := d.op.engine.downloads.Begin(initialSections)
	d.fetch = newFetch(d, offset+keep, running.GrowingLimit(initial, int(sections), rate), 0)
	d.first.set(offset, keep)
}

// length returns the size in bytes of the section at offset. If f.size is 0, the first sections are
// small and later sections are larger. f.limit measures the throughput at the end of each section,
// so small sections let it find the best number of parallel sections soon.
func (f *fetch) length(offset int64) int64 {
	const unit = 1 << 20
	length := f.size
	if length == 0 {
		// A share of the bytes before offset, in whole units, and at least one unit.
		units := max((offset-f.from)/initialSections/unit, 1)
		length = min(units*unit, f.maxSize)
	}
	return min(length, f.end-offset)
}

// run starts all sections, one after the other. It returns when the last one was started.
func (f *fetch) run() {
	for offset := f.from; offset < f.end; {
		if f.limit.Acquire(f.ctx) != nil {
			return
		}
		s := &section{d: f.d, ctx: f.ctx, req: f.req, fetched: newFetched()}
		length := f.length(offset)
		s.set(offset, length)
		if f.sink.add(s) != nil {
			// The sink has the error, and returns it in place of the section.
			return
		}
		f.start(s)
		offset += length
	}
}

// start reads a section in a goroutine.
func (f *fetch) start(s *section) {
	prev := f.last // closed when the section before s has ended
	f.last = s.fetched.done
	read := func() {
		err := f.fill(s, prev)
		f.sink.end(s, err)
	}
	onPanic := func() { f.sink.end(s, errPanicked()) }
	f.group.Go(func() {
		// done is closed after end, because a reader that waits for done then reads the error.
		defer close(s.fetched.done)
		f.group.Do(read, onPanic)
	}, nil)
}

// fill reads a section to its end. prev is closed when the section before it has ended.
//
// A store may refuse a section, because it permits only few connections. If WithConcurrency set
// their number, fill then fails. If the download opened them on its own, fill waits until all
// earlier sections have ended, and tries again. If the store refuses a section while no other one
// has a connection, fill fails.
func (f *fetch) fill(s *section, prev <-chan struct{}) error {
	defer f.limit.Ended()
	defer s.close()
	f.active.Add(1)
	defer f.active.Add(-1)

	mayWait := f.size == 0 // WithConcurrency sets a size
	for s.remaining.Load() > 0 {
		free, err := f.sink.space(s)
		if err != nil {
			return asError(f.ctx, err)
		}
		n, e := s.read(free)
		if e == nil {
			f.limit.Moved(int64(n))
			if err := f.sink.filled(s, free[:n]); err != nil {
				return err
			}
			continue
		}

		if !mayWait || !e.Retryable {
			return e
		}
		f.limit.Refused()
		isAlone, err := f.waitForTurn(prev)
		if err != nil {
			return asError(f.ctx, err)
		}
		mayWait = !isAlone // alone, the section has one more attempt
		s.tries = running.Tries{}
	}
	return nil
}

// waitForTurn waits until the earlier sections have ended. It returns true if no other section has
// or requests a connection. Otherwise it waits a short time and returns false.
func (f *fetch) waitForTurn(prev <-chan struct{}) (isAlone bool, err error) {
	const pause = 100 * time.Millisecond
	f.active.Add(-1)
	defer f.active.Add(1)
	if prev != nil {
		select {
		case <-prev:
		case <-f.ctx.Done():
			return false, f.ctx.Err()
		}
	}
	if f.active.Load() == 0 {
		return true, nil
	}
	return false, running.Sleep(f.ctx, pause)
}

// interrupted returns the error of the context that has ended, or nil if none has. It returns
// errClosed if the reader was closed.
func (f *fetch) interrupted() *storage.Error {
	if f.d.ctx.Err() != nil {
		return asError(f.d.ctx, f.d.ctx.Err())
	}
	if f.ctx.Err() != nil {
		return errClosed
	}
	return nil
}

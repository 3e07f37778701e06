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

// newFetch returns a fetch of the bytes of d from the offset start on, in sections of size bytes. If
// size is 0, the first sections are small and later ones are larger. limit bounds how many sections
// are read at the same time.
func newFetch(d *download, start int64, limit *running.Limit, size int64) *fetch {
	offset, length := d.reader.Range()
	ctx, cancel := context.WithCancel(d.ctx)
	return &fetch{
		d:       d,
		ctx:     ctx,
		cancel:  cancel,
		req:     d.first.req,
		from:    start,
		end:     offset + length,
		size:    size,
		maxSize: maxSectionBytes,
		limit:   limit,
	}
}

// share makes the first connection read only length bytes from offset on. The fetch f reads what
// follows them.
func (d *download) share(f *fetch, offset, length int64) {
	d.fetch = f
	d.first.fetched = newFetched()
	d.first.set(offset, length)
}

// fixedFetch returns a fetch of the bytes after the first section, by the number of connections that
// WithConcurrency asks for, up to a limit.
func (d *download) fixedFetch() *fetch {
	offset, length := d.reader.Range()
	start := offset + firstSectionBytes
	rest := length - firstSectionBytes

	// More connections than smallest sections would have nothing to read.
	connections := min(int64(d.concurrency), rangeplan.MaxAtOnce, ceilDiv(rest, minSectionBytes))
	// Each connection reads an equal share of the rest, in one section or in several.
	share := ceilDiv(rest, connections)
	size := min(max(share, minSectionBytes), maxSectionBytes)
	return newFetch(d, start, running.FixedLimit(int(connections)), size)
}

// ceilDiv returns a divided by b, rounded up.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// readProbed reads from the first connection and measures its rate in bytes per second. If the
// connection is slow and many bytes remain, readProbed prepares more connections.
func (d *download) readProbed(p []byte) (int, *storage.Error) {
	start := time.Now()
	n, err := d.first.read(p)
	if err != nil {
		return n, err
	}
	rate, isSlow := d.probe.RecordRead(start, n)
	remaining := d.remaining - int64(n)
	if isSlow && remaining >= growthLeast {
		d.prepareFetch(rate)
	}
	return n, nil
}

// prepareFetch prepares a fetch by several connections, because the first one delivers only rate bytes a
// second. The next Read starts it. If too little memory is free, prepareFetch does nothing, so that the
// fetch never waits for other transfers.
func (d *download) prepareFetch(rate float64) {
	// The first connection delivers this many bytes more, until the first sections have arrived.
	const keptBytes = 2 << 20
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}

	maxSections := d.reserveSections()
	if maxSections == 0 {
		// There is too little memory now. After the next slow Read, prepareFetch tries again.
		return
	}

	// The fetch reads what comes after the bytes of the first connection. Its sections grow.
	const growingSize = 0
	offset := d.first.req.Offset
	initial := d.op.engine.downloads.Begin(initialSections)
	limit := running.GrowingLimit(initial, maxSections, rate)
	f := newFetch(d, offset+keptBytes, limit, growingSize)
	d.share(f, offset, keptBytes)
}

// reserveSections reserves memory for the sections of a fetch. It returns how many may be read at the
// same time, or 0 if too little memory is free. The caller holds d.mu.
func (d *download) reserveSections() int {
	if d.toFile {
		// Sections that are written to a file in place need no memory.
		return maxAdaptiveSections
	}

	// Reserve returns what is free, up to this number of bytes.
	d.reserved = d.op.engine.bufferLimit.Reserve(maxAdaptiveSections * maxSectionBytes)
	sections := int(d.reserved / maxSectionBytes)
	const leastSections = 2 // one section at a time is no faster than the first connection
	if sections < leastSections {
		d.unreserve()
		return 0
	}
	return sections
}

// length returns the size in bytes of the section at offset. Unless the size is fixed, sections grow
// with the offset: the throughput is measured after each, so small ones soon show how many may run
// at the same time.
func (f *fetch) length(offset int64) int64 {
	const unit = 1 << 20 // bytes
	length := f.size
	if length == 0 {
		// A share of the bytes before offset, in whole units, and at least one unit.
		units := max((offset-f.from)/initialSections/unit, 1)
		length = min(units*unit, f.maxSize)
	}
	return min(length, f.end-offset)
}

// run starts the sections one after the other, each as soon as the limit permits, until the last was
// started or one cannot be.
func (f *fetch) run() {
	for offset := f.from; offset < f.end; {
		if f.limit.Acquire(f.ctx) != nil {
			// The context of the fetch has ended.
			return
		}
		s := &section{d: f.d, ctx: f.ctx, req: f.req, fetched: newFetched()}
		length := f.length(offset)
		s.set(offset, length)
		if f.sink.add(s) != nil {
			// The sink keeps the error for its reader.
			return
		}
		f.start(s)
		offset += length
	}
}

// start starts the goroutine that reads section s.
func (f *fetch) start(s *section) {
	prev := f.last // closed when the section before s has ended
	f.last = s.fetched.done
	read := func() {
		err := f.fill(s, prev)
		f.sink.end(s, err)
	}
	onPanic := func() { f.sink.end(s, errPanicked()) }
	f.group.Go(func() {
		// Close done after end, because whoever waits for done reads the error that end has set.
		defer close(s.fetched.done)
		f.group.Do(read, onPanic)
	}, nil)
}

// fill reads section s to its end. prev is closed when the section before it has ended.
//
// A store that permits only few connections may refuse s. If the download has chosen the number of
// connections, fill then waits for the earlier sections and tries again, but not once it is alone.
func (f *fetch) fill(s *section, prev <-chan struct{}) error {
	defer f.limit.Ended()
	defer s.close()
	f.active.Add(1)
	defer f.active.Add(-1)

	// With WithConcurrency, the caller has chosen the number of connections, and f.size is not 0.
	mayWait := f.size == 0
	for {
		wasRefused, err := f.readRest(s)
		if !wasRefused || !mayWait {
			return err
		}

		// Wait for the earlier sections, which free their connections.
		f.limit.Refused()
		isAlone, err := f.waitForTurn(prev)
		if err != nil {
			return asError(f.ctx, err)
		}
		s.tries = running.Tries{}
		if isAlone {
			// No other section has a connection, so this attempt is the last.
			_, err := f.readRest(s)
			return err
		}
	}
}

// readRest reads what remains of section s into the sink. wasRefused is true if err is a temporary error
// of the store, which may mean that the store permits no further connection.
func (f *fetch) readRest(s *section) (wasRefused bool, err error) {
	for s.remaining.Load() > 0 {
		free, err := f.sink.space(s)
		if err != nil {
			return false, asError(f.ctx, err)
		}
		n, readErr := s.read(free)
		if readErr != nil {
			return readErr.Retryable, readErr
		}
		f.limit.Moved(int64(n))
		if err := f.sink.filled(s, free[:n]); err != nil {
			return false, err
		}
	}
	return false, nil
}

// waitForTurn waits until the earlier sections have ended. It reports whether no other section has or
// wants a connection, and waits a little longer if one does.
func (f *fetch) waitForTurn(prev <-chan struct{}) (isAlone bool, err error) {
	const pause = 100 * time.Millisecond

	// While the section waits, it needs no connection.
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

// interrupted returns the error of the caller's context if that has ended, errClosed if the reader was
// closed, or else nil.
func (f *fetch) interrupted() *storage.Error {
	if f.d.ctx.Err() != nil {
		return asError(f.d.ctx, f.d.ctx.Err())
	}
	if f.ctx.Err() != nil {
		return errClosed
	}
	return nil
}

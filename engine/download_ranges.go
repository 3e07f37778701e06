package engine

import (
	"context"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/concurrency"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/rangeplan"
)

const (
	firstRangeBytes = 256 << 10 // read from the first response, which also tells the object's size
	minRangeBytes   = 64 << 10
	maxRangeBytes   = 4 << 20
)

// A rangeFetcher fetches the bytes of an object from an offset to an end, in ranges,
// concurrently.
type rangeFetcher struct {
	d         *download
	ctx       context.Context
	cancel    context.CancelFunc
	group     panics.Group
	from, end int64
	grown     *concurrency.Limit // of a download that has grown by itself; nil: of another
	last      chan struct{}      // closed when the range that was begun last has ended
	seeking   atomic.Int32       // ranges that have or seek a connection
}

// A rangeSink decides where the bytes of a range go, how many they are, and how many
// ranges there are at once.
type rangeSink interface {
	// next waits until another range may be fetched, of the length that it returns: at
	// most limit. It is called in the order of the ranges.
	next(ctx context.Context, off, limit int64) (to rangeWriter, length int64, err error)
}

// A rangeWriter takes the bytes of one range.
type rangeWriter interface {
	// space returns memory for at most limit bytes, which the fetcher then fills.
	space(ctx context.Context, limit int64) ([]byte, error)
	// filled tells that the bytes are in p, the beginning of the last space.
	filled(p []byte) error
	// end is called once, last, with how the range failed; nil: it did not.
	end(err error)
}

func newRangeFetcher(ranges *rangeReader) *rangeFetcher {
	f := &rangeFetcher{d: ranges.d, from: ranges.from, end: ranges.end, last: make(chan struct{})}
	close(f.last) // none was begun
	if ranges.size == 0 {
		f.grown = ranges.limit
	}
	f.ctx, f.cancel = context.WithCancel(f.d.ctx)
	return f
}

// run fetches all ranges; it returns when the last one has begun.
func (f *rangeFetcher) run(sink rangeSink) {
	for off := f.from; off < f.end; {
		to, length, err := sink.next(f.ctx, off, f.end-off)
		if err != nil {
			return
		}
		req := f.d.req
		s := &stream{d: f.d, ctx: f.ctx, req: &req}
		s.pin(f.d.revision, off, length)
		f.start(s, to)
		off += length
	}
}

// start fetches one range in a goroutine.
func (f *rangeFetcher) start(s *stream, to rangeWriter) {
	before, done := f.last, make(chan struct{})
	f.last = done
	f.group.Go(func() {
		defer close(done)
		f.group.Do(func() { to.end(f.fetch(s, to, before)) }, func() { to.end(errPanicked("")) })
	}, nil)
}

// fetch reads one stream to its end. If the store refuses a range of a download that has
// grown by itself, it may take few connections. The range then waits until those before it
// have ended, and is requested again until no other range was in its way.
func (f *rangeFetcher) fetch(s *stream, to rangeWriter, before <-chan struct{}) error {
	defer s.close()
	f.seeking.Add(1)
	defer f.seeking.Add(-1)
	alone := f.grown == nil
	for s.left > 0 {
		free, err := to.space(f.ctx, s.left)
		if err != nil {
			return asError(f.ctx, err)
		}
		n, e := s.read(free)
		if n > 0 {
			if err := to.filled(free[:n]); err != nil {
				return err
			}
		}
		if e == nil {
			continue
		}
		if alone || !e.Retryable {
			return e
		}
		f.grown.Refused()
		if alone, err = f.turn(before); err != nil {
			return asError(f.ctx, err)
		}
		s.tried = backoff.Tries{}
	}
	return nil
}

// turn waits until the ranges before this one have ended. It reports whether no later one
// has or seeks a connection; if one does, it leaves it a moment.
func (f *rangeFetcher) turn(before <-chan struct{}) (alone bool, err error) {
	const moment = 100 * time.Millisecond
	f.seeking.Add(-1)
	defer f.seeking.Add(1)
	select {
	case <-before:
	case <-f.ctx.Done():
		return false, f.ctx.Err()
	}
	if f.seeking.Load() == 0 {
		return true, nil
	}
	return false, ctxtime.Sleep(f.ctx, moment)
}

// canSplit reports whether the requested range may be long enough for parallel ranges. A
// suffix is not split, because the end of the object is not known yet. Nor is a range that
// begins past the end of any object.
func (d *download) canSplit() bool {
	req := &d.req
	return req.Suffix == 0 && (req.Length < 0 || req.Length > firstRangeBytes) && req.Offset <= math.MaxInt64-firstRangeBytes
}

// openRanges requests the first range, and prepares the others. The first range is read
// from its connection.
func (d *download) openRanges() *storage.Error {
	req := d.req
	if req.Offset > 0 || req.Length >= 0 {
		req.Length = firstRangeBytes
	} // else the whole is requested, and only its beginning read: S3 returns no checksum for a range
	if e := d.connect(&req); e != nil || d.stream.req == nil {
		return e
	}
	d.stream.pin(d.revision, d.offset, min(d.length, firstRangeBytes))
	if d.length > firstRangeBytes {
		d.ranges = d.orderedRanges()
	}
	return nil
}

// A rangeReader delivers parallel ranges in order, through buffers. The limit bounds
// how many of them are being fetched or wait to be read.
type rangeReader struct {
	d         *download
	from, end int64
	size      int64 // of one range, in bytes; 0: it grows
	limit     *concurrency.Limit
	drained   chan struct{} // closed when the first connection has delivered its bytes
	promised  int64         // see buffer.Limit.Reserve

	starting sync.Once
	fetcher  *rangeFetcher       // nil until the first read
	queue    chan *bufferedRange // in order; closed after the last
	inPlace  bool                // nothing goes through buffers

	mu      sync.Mutex // guards current, between read and close
	current *bufferedRange
	pos     int64 // read of current
	closed  bool
}

// A bufferedRange is a range in memory.
type bufferedRange struct {
	buffer *buffer.Buffer
	limit  *concurrency.Limit
	memory *buffer.Limit // of buffer
	done   chan struct{} // closed when the range ended
	failed error
}

// orderedRanges returns the ranges that follow the first, as many at once as
// WithConcurrency orders.
func (d *download) orderedRanges() *rangeReader {
	from := d.offset + firstRangeBytes
	length := d.offset + d.length - from
	// WithConcurrency may be any number.
	n := min(int64(settings(&d.given).Concurrency), rangeplan.MaxAtOnce, (length+minRangeBytes-1)/minRangeBytes)
	size := min(max((length+n-1)/n, minRangeBytes), maxRangeBytes)
	return newRangeReader(d, from, concurrency.Fixed(int(n)), size)
}

func newRangeReader(d *download, from int64, limit *concurrency.Limit, size int64) *rangeReader {
	return &rangeReader{
		d: d, from: from, end: d.offset + d.length, size: size, limit: limit,
		queue: make(chan *bufferedRange, limit.Most()), drained: make(chan struct{}),
	}
}

// next reserves memory for a range. Ranges get it in order, so that the one that is
// read next has it first.
func (g *rangeReader) next(ctx context.Context, off, limit int64) (rangeWriter, int64, error) {
	if err := g.limit.Acquire(ctx); err != nil {
		return nil, 0, err
	}
	length := g.size
	if length == 0 {
		length = growingLength(off-g.from, maxRangeBytes)
	}
	length = min(length, limit)
	r := &bufferedRange{buffer: newBuffer(&g.d.op), limit: g.limit, memory: g.d.op.core.bufferLimit, done: make(chan struct{})}
	g.queue <- r
	if err := r.buffer.Reserve(ctx, length); err != nil {
		r.failed = asError(ctx, err)
		close(r.done)
		return nil, 0, err
	}
	r.memory.AddInFlight(1)
	return r, length, nil
}

func (r *bufferedRange) space(ctx context.Context, limit int64) ([]byte, error) {
	return r.buffer.Space(ctx, limit)
}

func (r *bufferedRange) filled(p []byte) error {
	r.buffer.Filled(len(p))
	r.limit.Moved(int64(len(p)))
	return nil
}

func (r *bufferedRange) end(err error) {
	r.memory.AddInFlight(-1)
	r.limit.Ended()
	r.failed = err
	close(r.done)
}

// read delivers the next bytes, and waits for them.
func (g *rangeReader) read(p []byte) (int, *storage.Error) {
	g.starting.Do(func() {
		g.fetcher = newRangeFetcher(g)
		g.fetcher.last = g.drained
		g.fetcher.group.Go(func() {
			defer close(g.queue)
			g.fetcher.run(g)
		}, nil)
	})
	if first := &g.d.stream; first.left > 0 {
		n, e := first.read(p)
		if first.left == 0 {
			first.drop()
			close(g.drained)
		}
		return n, e
	}
	for {
		r, e := g.wait()
		if e != nil {
			return 0, e
		}
		if n := g.copy(r, p); n > 0 {
			return n, nil
		}
	}
}

// wait returns the range that is being read, once it is in memory.
func (g *rangeReader) wait() (*bufferedRange, *storage.Error) {
	r, e := g.take()
	if e == nil {
		<-r.done // ends with the context, as every request does
	}
	g.fetcher.group.Raise()
	if e != nil {
		return nil, e
	}
	if r.failed != nil {
		if e := g.interrupted(); e != nil {
			return nil, e
		}
		return nil, ownError(r.failed)
	}
	return r, nil
}

// take returns the current range, or makes the next one of the queue current.
func (g *rangeReader) take() (*bufferedRange, *storage.Error) {
	g.mu.Lock()
	r, closed := g.current, g.closed
	g.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if r != nil {
		return r, nil
	}
	r = <-g.queue // closed when the context is done
	if r == nil {
		if e := g.interrupted(); e != nil {
			return nil, e
		}
		return nil, &storage.Error{Code: storage.Internal, Err: io.ErrUnexpectedEOF}
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		<-r.done
		r.buffer.Free()
		return nil, errClosed
	}
	g.current, g.pos = r, 0
	g.mu.Unlock()
	return r, nil
}

// interrupted returns why the context is done; nil if it is not.
func (g *rangeReader) interrupted() *storage.Error {
	switch {
	case g.d.ctx.Err() != nil:
		return asError(g.d.ctx, g.d.ctx.Err())
	case g.fetcher.ctx.Err() != nil:
		return errClosed
	}
	return nil
}

// copy delivers bytes of r, and frees it after its last byte.
func (g *rangeReader) copy(r *bufferedRange, p []byte) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0
	}
	n, _ := r.buffer.ReadAt(p[:min(int64(len(p)), r.buffer.Size()-g.pos)], g.pos)
	if g.pos += int64(n); g.pos == r.buffer.Size() {
		r.buffer.Free()
		g.current = nil
		g.limit.Release()
	}
	return n
}

// close stops everything, waits for it, and gives the memory back.
func (g *rangeReader) close() {
	g.mu.Lock()
	g.closed = true
	g.d.op.core.bufferLimit.Unreserve(g.promised)
	g.promised = 0
	g.mu.Unlock()
	started := true
	g.starting.Do(func() { started = false })
	if !started {
		g.d.stream.close()
		return
	}
	g.fetcher.cancel()
	g.d.stream.close()
	if g.inPlace { // WriteTo waits for the ranges; their progress function may call Close
		return
	}
	g.fetcher.group.Join()
	defer g.fetcher.group.Raise()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current != nil {
		g.current.buffer.Free()
		g.current = nil
	}
	for r := range g.queue {
		r.buffer.Free()
	}
}

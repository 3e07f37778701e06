package storage

import (
	"context"
	"io"
	"math"
	"sync"

	"github.com/omnibucket/storage/internal/panics"
)

const (
	probeBytes    = 256 << 10 // what is read of the first answer, which also tells the object's size
	minRangeBytes = 64 << 10
	maxRangeBytes = 4 << 20
	maxRanges     = 1 << 14 // at once: 1 GiB of the smallest ones, and 128 KiB of queue
)

// ranges fetches an object's ranges in parallel and delivers them in order. The
// first one is read from its connection; the others, of which at most
// WithConcurrency are under way or waiting to be read, through buffers.
type ranges struct {
	d      *download
	ctx    context.Context
	cancel context.CancelFunc
	from   int64 // where the fetched ranges begin
	end    int64
	size   int64 // of one range, in bytes

	starting sync.Once
	group    panics.Group
	window   chan struct{} // holds a token for each range that was not read yet
	queue    chan *fetch   // in order; closed behind the last

	mu      sync.Mutex // the current buffer, between read and close
	current *fetch
	pos     int64 // read of current
	closed  bool
}

// A fetch is one range on its way.
type fetch struct {
	buffer *buffer
	stream stream
	done   chan struct{} // closed when the buffer is full or failed is set
	failed *Error
}

// openRanges asks for the first range and prepares the others.
func (d *download) openRanges(r *Reader) *Error {
	req := d.req
	if req.Suffix > 0 || req.Length >= 0 && req.Length <= probeBytes || req.Offset > math.MaxInt64-probeBytes {
		// The last bytes, counted from an end that is not known yet, too few to be
		// worth it, or those from an offset on that is past the end of any object.
		d.req.set.concurrency = 1
		return d.open(r)
	}
	if req.Offset > 0 || req.Length >= 0 {
		req.Length = probeBytes
	} // else the whole is asked for, and left when enough of it came: to a range S3 tells no checksum
	d.stream = stream{d: d, ctx: d.ctx, req: &req}
	attrs, e := d.stream.connect()
	if e != nil && e.Code == RangeNotSatisfiable {
		return d.openEmpty(r)
	}
	if e != nil {
		return e
	}
	if e := d.start(r, attrs); e != nil {
		d.stream.close()
		return e
	}
	d.stream.pin(d.revision, r.offset, min(r.length, probeBytes))
	if r.length > probeBytes {
		d.ranges = newRanges(d, r.offset+probeBytes, r.offset+r.length)
	}
	return nil
}

func newRanges(d *download, from, end int64) *ranges {
	// What was asked for is a bound, and may be any number: the queue is no longer
	// than it can get.
	n := min(int64(d.req.set.concurrency), maxRanges, (end-from+minRangeBytes-1)/minRangeBytes)
	g := &ranges{d: d, from: from, end: end}
	g.size = min(max((end-from+n-1)/n, minRangeBytes), maxRangeBytes)
	g.ctx, g.cancel = context.WithCancel(d.ctx)
	g.window = make(chan struct{}, n)
	g.queue = make(chan *fetch, n)
	return g
}

// dispatch starts the fetches in order, so that the memory goes to the range
// that is read next.
func (g *ranges) dispatch() {
	defer close(g.queue)
	for off := g.from; off < g.end; off += g.size {
		select {
		case g.window <- struct{}{}:
		case <-g.ctx.Done():
			return
		}
		f := &fetch{buffer: newBuffer(&g.d.operation), done: make(chan struct{})}
		length := min(g.size, g.end-off)
		if err := f.buffer.reserve(g.ctx, length); err != nil {
			f.failed = asError(g.ctx, err)
			close(f.done)
			g.queue <- f
			return
		}
		req := g.d.req
		f.stream = stream{d: g.d, ctx: g.ctx, req: &req}
		f.stream.pin(g.d.revision, off, length)
		g.queue <- f
		g.group.Go(func() {
			defer close(f.done)
			g.group.Do(func() { g.fetch(f) }, func() { f.failed = errPanicked("") })
		}, nil)
	}
}

// fetch fills one buffer.
func (g *ranges) fetch(f *fetch) {
	defer f.stream.close()
	memory := g.d.core.memory
	memory.move(1)
	defer memory.move(-1)
	for f.stream.left > 0 {
		free, err := f.buffer.room(g.ctx, f.stream.left)
		if err != nil {
			f.failed = asError(g.ctx, err)
			break
		}
		n, e := f.stream.read(free)
		f.buffer.size += int64(n)
		if e != nil {
			f.failed = e
			break
		}
	}
}

// read delivers what comes next, waiting for it.
func (g *ranges) read(p []byte) (int, *Error) {
	g.starting.Do(func() { g.group.Go(g.dispatch, nil) })
	if first := &g.d.stream; first.left > 0 {
		n, e := first.read(p)
		if first.left == 0 {
			first.drop()
		}
		return n, e
	}
	for {
		f, e := g.next()
		if e != nil {
			return 0, e
		}
		if n := g.copy(f, p); n > 0 {
			return n, nil
		}
	}
}

// next is the range that is being read, when it is there.
func (g *ranges) next() (*fetch, *Error) {
	f, e := g.take()
	if e == nil {
		<-f.done // ends with the context, as every request does
	}
	g.group.Raise()
	if e != nil {
		return nil, e
	}
	if f.failed != nil {
		if e := g.interrupted(); e != nil {
			return nil, e
		}
		return nil, f.failed
	}
	return f, nil
}

// take makes the next of the queue the current one, where there is none.
func (g *ranges) take() (*fetch, *Error) {
	g.mu.Lock()
	f, closed := g.current, g.closed
	g.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if f != nil {
		return f, nil
	}
	f = <-g.queue // closed when the context is done
	if f == nil {
		if e := g.interrupted(); e != nil {
			return nil, e
		}
		return nil, &Error{Code: Internal, Err: io.ErrUnexpectedEOF}
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		<-f.done
		f.buffer.free()
		return nil, errClosed
	}
	g.current, g.pos = f, 0
	g.mu.Unlock()
	return f, nil
}

// interrupted is why the context is done; nil where it is not.
func (g *ranges) interrupted() *Error {
	switch {
	case g.d.ctx.Err() != nil:
		return asError(g.d.ctx, g.d.ctx.Err())
	case g.ctx.Err() != nil:
		return errClosed
	}
	return nil
}

// copy hands out what f holds, and gives it back after its last byte.
func (g *ranges) copy(f *fetch, p []byte) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0
	}
	n, _ := f.buffer.ReadAt(p[:min(int64(len(p)), f.buffer.size-g.pos)], g.pos)
	if g.pos += int64(n); g.pos == f.buffer.size {
		f.buffer.free()
		g.current = nil
		<-g.window
	}
	return n
}

// close stops everything, waits for it, and gives the memory back.
func (g *ranges) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.starting.Do(func() { close(g.queue) }) // nothing was started
	g.d.stream.close()
	g.group.Join()
	defer g.group.Raise()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current != nil {
		g.current.buffer.free()
		g.current = nil
	}
	for f := range g.queue {
		f.buffer.free()
	}
}

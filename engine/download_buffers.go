package engine

import (
	"io"

	"github.com/omnibucket/storage"
)

// read delivers the next bytes, and waits for them. The first read begins the fetch, into buffers.
func (f *fetch) read(p []byte) (int, *storage.Error) {
	first := &f.d.first
	if f.sink == nil && !f.runBuffered() {
		return 0, errClosed
	}
	if first.remaining.Load() == 0 {
		return f.buffers.read(p)
	}
	n, e := first.read(p)
	if first.remaining.Load() == 0 {
		first.drop()
		close(first.done)
	}
	return n, e
}

// runBuffered begins the fetch. It returns false if the reader was closed.
func (f *fetch) runBuffered() bool {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.ended {
		return false
	}
	b := &bufferSink{f: f, queue: make(chan *section, f.limit.Max())}
	f.sink, f.buffers, f.last = b, b, f.d.first.done
	f.group.Go(func() {
		defer close(b.queue)
		f.run()
	}, nil)
	return true
}

// close waits for the end of all sections in buffers, after cancel, and gives the memory back.
// Sections of a file end with WriteTo, whose progress function may call Close.
func (f *fetch) close() {
	if f.buffers == nil {
		return
	}
	f.group.Join()
	defer f.group.Raise()
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.buffers.free()
}

// A bufferSink keeps sections in buffers, and delivers them in order. A section keeps its slot of the
// Limit until it is delivered.
type bufferSink struct {
	f       *fetch
	queue   chan *section // in order; closed after the last
	current *section      // is being delivered; guarded by download.mu
	pos     int64         // in current
}

// add reserves memory for a section. Sections get it in order, so that the one that is delivered next
// has it first.
func (b *bufferSink) add(s *section) error {
	o := &b.f.d.op
	s.buffer = newBuffer(o)
	b.queue <- s
	if err := s.buffer.Reserve(s.ctx, s.remaining.Load()); err != nil {
		s.failed = asError(s.ctx, err)
		close(s.done)
		return err
	}
	o.core.bufferLimit.AddInFlight(1)
	return nil
}

func (b *bufferSink) space(s *section) ([]byte, error) {
	return s.buffer.Space(s.ctx, s.remaining.Load())
}

func (b *bufferSink) filled(s *section, p []byte) error {
	s.buffer.Filled(len(p))
	return nil
}

func (b *bufferSink) end(s *section, err error) {
	b.f.d.op.core.bufferLimit.AddInFlight(-1)
	s.failed = err
}

// read delivers the next bytes, and waits for them.
func (b *bufferSink) read(p []byte) (int, *storage.Error) {
	for {
		s, e := b.take()
		if e == nil {
			<-s.done // ends with the context, as every request does
		}
		b.f.group.Raise()
		switch {
		case e != nil:
			return 0, e
		case s.failed != nil:
			if e := b.f.interrupted(); e != nil {
				return 0, e
			}
			return 0, ownError(s.failed)
		}
		if n := b.copy(s, p); n > 0 {
			return n, nil
		}
	}
}

// take returns the current section, or makes the next one of the queue current.
func (b *bufferSink) take() (*section, *storage.Error) {
	d := b.f.d
	d.mu.Lock()
	s, closed := b.current, d.ended
	d.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case s != nil:
		return s, nil
	}
	s = <-b.queue // closed when the context is done
	if s == nil {
		if e := b.f.interrupted(); e != nil {
			return nil, e
		}
		return nil, &storage.Error{Code: storage.Internal, Err: io.ErrUnexpectedEOF}
	}
	d.mu.Lock()
	closed = d.ended
	if !closed {
		b.current, b.pos = s, 0
	}
	d.mu.Unlock()
	if closed {
		<-s.done
		s.buffer.Free()
		return nil, errClosed
	}
	return s, nil
}

// copy delivers bytes of s, and frees it after its last byte.
func (b *bufferSink) copy(s *section, p []byte) int {
	d := b.f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return 0
	}
	n, _ := s.buffer.ReadAt(p[:min(int64(len(p)), s.buffer.Size()-b.pos)], b.pos)
	if b.pos += int64(n); b.pos == s.buffer.Size() {
		s.buffer.Free()
		b.current = nil
		b.f.limit.Release()
	}
	return n
}

// free gives the memory back. The lock is held.
func (b *bufferSink) free() {
	if b.current != nil {
		b.current.buffer.Free()
		b.current = nil
	}
	for s := range b.queue {
		s.buffer.Free()
	}
}

package engine

import (
	"cmp"
	"io"

	"github.com/omnibucket/storage"
)

// read reads the next bytes of the download. The first section comes from the first connection, and the
// other sections come from buffers. The first call starts the goroutines that fill these buffers.
func (f *fetch) read(p []byte) (int, *storage.Error) {
	isStarted := f.sink != nil
	if !isStarted {
		if err := f.startBuffers(); err != nil {
			return 0, err
		}
	}

	first := &f.d.first
	if first.remaining.Load() == 0 {
		return f.buffers.read(p)
	}

	n, err := first.read(p)
	if first.remaining.Load() == 0 {
		first.drop()
		// The next section may be waiting until this one has ended.
		close(first.fetched.done)
	}
	return n, err
}

// startBuffers starts the fetch into buffers, unless the reader was closed.
func (f *fetch) startBuffers() *storage.Error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.ended {
		return errClosed
	}

	// The Limit permits no more sections than the queue holds, so sending to the queue never blocks.
	b := &bufferSink{fetch: f, queue: make(chan *section, f.limit.Max())}
	f.sink = b
	f.buffers = b

	// The first connection, and not the fetch, reads the first section. So the fetch begins as if it had
	// already started that section.
	f.last = f.d.first.fetched.done
	f.group.Go(func() {
		defer close(b.queue)
		f.run()
	}, nil)
	return nil
}

// close waits until all sections have ended, and frees their buffers. The caller must cancel the
// fetch first.
func (f *fetch) close() {
	if f.buffers == nil {
		// Without buffers, close may run in a section, for which it cannot wait: the section calls the
		// user's progress function, which may close the reader.
		return
	}
	f.group.Join()
	defer f.group.Raise()
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.buffers.free()
}

// A bufferSink keeps sections in buffers, and delivers them in order. Until a section is delivered,
// it counts toward the Limit of the fetch.
type bufferSink struct {
	fetch   *fetch
	queue   chan *section // the sections in order; closed after the last one
	current *section      // the section that is being delivered; guarded by download.mu
	offset  int64         // number of bytes that were already delivered from the current section
}

// add queues section s and reserves its memory. It does so in the order of the sections, so that the
// one that is delivered next never waits for a later one.
func (b *bufferSink) add(s *section) error {
	o := &b.fetch.d.op
	s.fetched.buffer = newBuffer(o)
	b.queue <- s
	if err := s.fetched.buffer.Reserve(s.ctx, s.remaining.Load()); err != nil {
		s.fetched.err = asError(s.ctx, err)
		close(s.fetched.done)
		return err
	}
	o.engine.bufferLimit.AddInFlight(1) // until end is called
	return nil
}

func (b *bufferSink) space(s *section) ([]byte, error) {
	return s.fetched.buffer.Space(s.ctx, s.remaining.Load())
}

func (b *bufferSink) filled(s *section, p []byte) error {
	s.fetched.buffer.Filled(len(p))
	return nil
}

func (b *bufferSink) end(s *section, err error) {
	b.fetch.d.op.engine.bufferLimit.AddInFlight(-1)
	s.fetched.err = err
}

// read waits for the next bytes and delivers them.
func (b *bufferSink) read(p []byte) (int, *storage.Error) {
	defer b.fetch.group.Raise()
	s, err := b.next()
	if err != nil {
		return 0, err
	}
	// The channel is closed when the section ends, even if the context ends it.
	<-s.fetched.done
	return b.copy(s, p)
}

// next returns the current section, or else waits for the next one of the queue.
func (b *bufferSink) next() (*section, *storage.Error) {
	// Close may free the current section at any time.
	b.fetch.d.mu.Lock()
	s := b.current
	b.fetch.d.mu.Unlock()
	if s == nil {
		s = <-b.queue
	}
	if s != nil {
		return s, nil
	}

	// The queue was closed, because the context is done or no section is left.
	if err := b.fetch.interrupted(); err != nil {
		return nil, err
	}
	// The fetch has ended before the last byte, and no section has failed.
	return nil, &storage.Error{Code: storage.Internal, Err: io.ErrUnexpectedEOF}
}

// copy copies the next bytes of section s, which has ended, to p, or returns the error of s. The
// section becomes the current one, and is freed after its last byte.
func (b *bufferSink) copy(s *section, p []byte) (int, *storage.Error) {
	d := b.fetch.d
	d.mu.Lock()
	defer d.mu.Unlock()

	if d.ended {
		// The reader was closed, which freed the sections in the queue, but s may have left it before.
		s.fetched.buffer.Free()
		return 0, errClosed
	}

	// From here on, Close frees the section if the caller does not read to its end.
	b.current = s
	if s.fetched.err != nil {
		// If the fetch was interrupted, that is the reason for the error of the section.
		return 0, cmp.Or(b.fetch.interrupted(), ownError(s.fetched.err))
	}

	buf := s.fetched.buffer
	p = p[:min(int64(len(p)), buf.Size()-b.offset)]
	n, _ := buf.ReadAt(p, b.offset) // cannot fail within the size
	b.offset += int64(n)
	if b.offset == buf.Size() {
		b.endCurrent()
	}
	return n, nil
}

// endCurrent frees the current section after its last byte was delivered, so that another may begin.
// The caller holds the mutex of the download.
func (b *bufferSink) endCurrent() {
	b.current.fetched.buffer.Free()
	b.current = nil
	b.offset = 0
	b.fetch.limit.Release()
}

// free frees the buffers of the current section and of those in the queue. The caller holds the
// mutex of the download.
func (b *bufferSink) free() {
	if b.current != nil {
		b.current.fetched.buffer.Free()
		b.current = nil
	}
	for s := range b.queue {
		s.fetched.buffer.Free()
	}
}

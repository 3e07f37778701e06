package faults

import (
	"context"
	"io"
	"sync"
	"time"
)

// watchBody applies the fault to a body, and counts the body as open until it is closed. A body
// without a fault keeps its method WriteTo.
func (i *Injector) watchBody(ctx context.Context, fault *Rule, body io.ReadCloser) io.ReadCloser {
	i.addOpenBodies(1)
	counted := &countedBody{ReadCloser: body, injector: i}
	if fault == nil {
		return keepWriterTo(counted, body)
	}

	switch fault.kind {
	case cut:
		return &cutBody{
			ReadCloser: counted,
			remaining:  fault.amount,
			err:        fault.bodyFailure(),
		}
	case stallBody:
		return &stalledBody{
			ReadCloser: counted,
			remaining:  fault.amount,
			done:       ctx.Done(),
			ctxErr:     ctx.Err,
			closed:     make(chan struct{}),
		}
	case slowBody:
		return &slowedBody{
			ReadCloser: counted,
			rate:       fault.amount,
			wait:       func(d time.Duration) error { return i.wait(ctx, d) },
		}
	case corrupt:
		// Only Read damages the bytes, so the body must not have WriteTo.
		return struct {
			io.Reader
			io.Closer
		}{corrupted(counted, fault.amount), counted}
	}

	// The other faults do not concern the body.
	return keepWriterTo(counted, body)
}

// keepWriterTo returns counted, which wraps body. If body has a method WriteTo, the result has it, too, so
// that io.Copy still uses it.
func keepWriterTo(counted *countedBody, body io.ReadCloser) io.ReadCloser {
	w, ok := body.(io.WriterTo)
	if !ok {
		return counted
	}
	return struct {
		io.ReadCloser
		io.WriterTo
	}{counted, w}
}

// A countedBody is a body that is counted as open. Only the first Close reduces the count.
type countedBody struct {
	io.ReadCloser
	injector *Injector
	once     sync.Once
}

func (b *countedBody) Close() error {
	b.once.Do(func() { b.injector.addOpenBodies(-1) })
	return b.ReadCloser.Close()
}

// A cutBody returns only the first bytes of a body. It then fails with err.
type cutBody struct {
	io.ReadCloser
	remaining int64
	err       error
}

// Read returns the first bytes of the body, and then the error of the fault.
func (b *cutBody) Read(p []byte) (int, error) {
	if b.remaining <= 0 {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.remaining)])
	b.remaining -= int64(n)
	return n, err
}

// A stalledBody returns only the first bytes of a body. The next Read blocks. Close ends a blocked
// Read, as for a network connection.
type stalledBody struct {
	io.ReadCloser
	remaining int64
	done      <-chan struct{}
	ctxErr    func() error
	closed    chan struct{}
	once      sync.Once
}

// Read returns the first bytes of the body, and then blocks until the context ends or the body is
// closed.
func (b *stalledBody) Read(p []byte) (int, error) {
	if b.remaining <= 0 {
		select {
		case <-b.done:
			return 0, b.ctxErr()
		case <-b.closed:
			return 0, io.ErrClosedPipe
		}
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.remaining)])
	b.remaining -= int64(n)
	return n, err
}

func (b *stalledBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.ReadCloser.Close()
}

// corrupted returns a reader of body with a damaged byte at offset. If body can seek, so can the
// reader, and a retry that reads the body again gets the same damaged byte.
func corrupted(body io.Reader, offset int64) io.Reader {
	damaged := &corruptBody{body: body, offset: offset}
	seeker, ok := body.(io.Seeker)
	if !ok {
		return damaged
	}

	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		// A pipe has Seek, but cannot seek.
		return damaged
	}
	damaged.start = start
	damaged.pos = start
	return &corruptSeeker{body: damaged, seeker: seeker}
}

// A corruptBody changes the byte at start+offset of body.
type corruptBody struct {
	body   io.Reader
	start  int64 // position of body at the beginning of the call
	pos    int64 // current position of body
	offset int64 // of the damaged byte after start
}

// Read flips one bit of the damaged byte, if it is among those read.
func (b *corruptBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	index := b.start + b.offset - b.pos
	if index >= 0 && index < int64(n) {
		p[index] ^= 0x01
	}
	b.pos += int64(n)
	return n, err
}

// A corruptSeeker is a corruptBody that can seek.
type corruptSeeker struct {
	body   *corruptBody
	seeker io.Seeker
}

func (b *corruptSeeker) Read(p []byte) (int, error) { return b.body.Read(p) }

// Seek keeps track of the position, so that the same byte is damaged again.
func (b *corruptSeeker) Seek(offset int64, whence int) (int64, error) {
	pos, err := b.seeker.Seek(offset, whence)
	if err != nil {
		return pos, err
	}
	b.body.pos = pos
	return pos, nil
}

// A slowedBody returns at most rate bytes a second.
type slowedBody struct {
	io.ReadCloser
	rate int64
	wait func(d time.Duration) error
}

// Read pauses after the bytes that it reads, to keep the rate. It reads at most 64 KiB, so that a
// large buffer does not make one long pause.
func (b *slowedBody) Read(p []byte) (int, error) {
	const maxRead = 64 << 10
	n, err := b.ReadCloser.Read(p[:min(len(p), maxRead)])

	pause := time.Duration(n) * time.Second / time.Duration(b.rate)
	if waitErr := b.wait(pause); waitErr != nil {
		return n, waitErr
	}
	return n, err
}

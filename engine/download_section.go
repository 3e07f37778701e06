package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/wire"
)

// steadyBytes is the number of bytes after which a connection counts as working. Attempts are
// then counted from 0 again.
const steadyBytes = 256 << 10

// A section is a span of one revision of the object, which is read over as many connections as that
// takes.
type section struct {
	d         *download
	ctx       context.Context
	req       driver.GetRequest // reads what remains
	remaining atomic.Int64      // bytes

	mu       sync.Mutex // guards body, cancel and closed, between read and close
	body     io.ReadCloser
	cancel   context.CancelFunc // nil if the driver is local
	watchdog *time.Timer
	closed   bool
	stalled  atomic.Bool

	tried     backoff.Tries // counts connections that failed in a row
	sinceDrop int64         // bytes that came since the last connection failed

	fetched *fetched // nil unless a fetch reads the section
}

// set sets the span that remains to be read.
func (s *section) set(offset, length int64) {
	s.req.Offset, s.req.Length, s.req.Suffix = offset, length, 0
	s.remaining.Store(length)
}

// connect makes a connection.
func (s *section) connect() (attrs *storage.Attrs, e *storage.Error) {
	return request(s.ctx, &s.d.op, s.get)
}

// get makes a Get request, and its body becomes the open one. Unless the driver is local, the
// connection has a context of its own, which lives as long as the body. If no response comes for too
// long, get fails.
func (s *section) get(ctx context.Context) (*storage.Attrs, error) {
	core := s.d.op.core
	if core.desc.Local {
		attrs, body, err := core.driver.Get(ctx, &s.req)
		if err != nil {
			return nil, err
		}
		return attrs, s.adopt(body, nil)
	}
	ctx, cancel := context.WithCancel(wire.WithContent(ctx, s))
	timer := time.AfterFunc(core.retry.stall, cancel)
	attrs, body, err := s.d.op.hedgedGet(ctx, &s.req)
	inTime := timer.Stop()
	if err == nil && inTime {
		return attrs, s.adopt(body, cancel)
	}
	if err == nil {
		_ = body.Close()
	}
	cancel()
	if !inTime {
		return nil, stalledError(err)
	}
	return nil, err
}

// stalledError returns the error of a connection that has stalled, and so has failed with err.
func stalledError(err error) *storage.Error {
	return &storage.Error{
		Code: storage.Unavailable, Retryable: true, Err: errors.Join(errors.New("no byte came for too long"), err),
	}
}

// adopt makes body the open one, unless close was called first.
func (s *section) adopt(body io.ReadCloser, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = body.Close()
		if cancel != nil {
			cancel()
		}
		return errClosed
	}
	s.body, s.cancel = body, cancel
	return nil
}

// read delivers at least one byte, or an error that another connection would not avoid.
func (s *section) read(p []byte) (int, *storage.Error) {
	p = p[:min(int64(len(p)), s.remaining.Load())]
	for empty := 0; ; {
		if err := s.ctx.Err(); err != nil { // a body on this machine does not check it
			return 0, asError(s.ctx, err)
		}
		body, e := s.current()
		if e != nil {
			return 0, e
		}
		n, err := s.readWatched(body, p)
		if n > 0 {
			s.advance(int64(n))
			return n, nil // an error returned with bytes recurs, or another connection avoids it
		}
		if err == nil {
			if empty++; empty < buffer.MaxEmptyReads {
				continue
			}
			err = io.ErrNoProgress
		}
		if e := s.afterDrop(err); e != nil {
			return 0, e
		}
	}
}

func (s *section) advance(n int64) {
	s.req.Offset += n
	s.req.Length = s.remaining.Add(-n)
	if s.sinceDrop += n; s.sinceDrop >= steadyBytes {
		s.tried = backoff.Tries{}
	}
}

// opened returns the open body, or nil, and whether close was called.
func (s *section) opened() (body io.ReadCloser, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body, s.closed
}

// current returns the open body. If there is none, it makes another connection.
func (s *section) current() (io.Reader, *storage.Error) {
	body, closed := s.opened()
	if body == nil && !closed {
		if e := s.reconnect(); e != nil {
			return nil, e
		}
		body, closed = s.opened()
	}
	if closed {
		return nil, errClosed
	}
	return body, nil
}

// reconnect makes another connection, to the pinned revision.
func (s *section) reconnect() *storage.Error {
	attrs, e := s.connect()
	if e != nil {
		switch e.Code {
		case storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
			e.Code = storage.Changed
		}
		return e
	}
	if attrs.Revision != s.req.Condition.Revision || attrs.Size != s.d.reader.Attrs().Size {
		s.drop()
		return &storage.Error{Code: storage.Changed}
	}
	return nil
}

// readWatched makes one Read. If no byte comes for too long, it interrupts the Read: the transport
// leaves that to it.
func (s *section) readWatched(body io.Reader, p []byte) (int, error) {
	core := s.d.op.core
	if core.desc.Local {
		return body.Read(p)
	}
	if s.watchdog == nil {
		s.watchdog = time.AfterFunc(core.retry.stall, s.interrupt)
	} else {
		s.watchdog.Reset(core.retry.stall)
	}
	n, err := body.Read(p)
	s.watchdog.Stop()
	return n, err
}

// Pause stops the watchdog until the Read in progress returns: a layer has received the bytes, and
// holds them back.
func (s *section) Pause() {
	if s.watchdog != nil {
		s.watchdog.Stop()
	}
}

// interrupt makes a Read that has stalled return.
func (s *section) interrupt() {
	s.stalled.Store(true)
	s.mu.Lock()
	cancel, body := s.cancel, s.body
	s.mu.Unlock()
	if body != nil {
		cancel()
		_ = body.Close()
	}
}

// afterDrop decides whether another connection may follow one that ended early with err. It returns
// nil, or why not.
func (s *section) afterDrop(err error) *storage.Error {
	s.drop()
	e := &storage.Error{Code: storage.Unavailable, Retryable: true, Err: io.ErrUnexpectedEOF}
	if err != io.EOF {
		e = asError(s.ctx, err)
	}
	if s.stalled.Swap(false) {
		e = stalledError(nil)
	}
	s.sinceDrop = 0
	_, closed := s.opened()
	switch {
	case closed:
		return errClosed
	case s.ctx.Err() != nil:
		return asError(s.ctx, s.ctx.Err())
	case !e.Retryable && e.Code != storage.Internal:
		return e
	}
	first := s.tried.Failed == 0
	delay, again := s.d.op.core.retry.allow(&s.tried, e)
	switch {
	case !again:
		return e
	case first && e.Code != storage.RateLimited: // a connection that has worked: the next one follows at once
		s.tried.Waited = 0
	case ctxtime.Sleep(s.ctx, delay) != nil:
		return s.d.op.waitError(s.ctx, e, false)
	}
	return nil
}

// drop closes the connection.
func (s *section) drop() { s.end(false) }

// close ends the section. It may be called at any time.
func (s *section) close() { s.end(true) }

// end closes the connection. If it is the last, no other is opened.
func (s *section) end(last bool) {
	s.mu.Lock()
	s.closed = s.closed || last
	body, cancel := s.body, s.cancel
	s.body, s.cancel = nil, nil
	s.mu.Unlock()
	if body == nil {
		return
	}
	if cancel != nil && s.remaining.Load() > 0 {
		cancel() // in Close, a body of net/http waits for a Read that waits
	}
	_ = body.Close()
	if cancel != nil {
		cancel()
	}
}

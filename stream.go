package storage

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// freshStart is how many bytes must come for a connection to count as one that
// works: the attempts begin anew then. Until that, they are bounded.
const freshStart = 256 << 10

// A stream is one range of one revision, over as many connections as it takes.
type stream struct {
	d    *download
	ctx  context.Context
	req  *GetRequest // of the range that is left, pinned once the first answer came
	left int64

	mu       sync.Mutex // body and cancel change hands between Read and Close
	body     io.ReadCloser
	cancel   context.CancelFunc
	watchdog *time.Timer
	stalled  atomic.Bool
	closed   bool

	tried tries // connections that failed in a row
	since int64 // bytes since the last that failed
}

// pin fixes the revision, and what is left to read.
func (s *stream) pin(revision string, offset, length int64) {
	s.req.Condition = Condition{Revision: revision}
	s.req.Offset, s.req.Length, s.req.Suffix = offset, length, 0
	s.left = length
}

// connect makes a connection.
func (s *stream) connect() (*Attrs, *Error) {
	var attrs *Attrs
	get := s.get
	if !s.d.core.desc.Local {
		get = s.getWatched
	}
	e := s.d.call(s.ctx, func(ctx context.Context) (err error) {
		attrs, err = get(ctx)
		return err
	})
	return attrs, e
}

// get is the driver's Get, whose body becomes the one that is read.
func (s *stream) get(ctx context.Context) (*Attrs, error) {
	attrs, body, err := s.d.core.driver.Get(ctx, s.req)
	if err != nil {
		return nil, err
	}
	return attrs, s.adopt(body, nil)
}

// getWatched gives the connection a context of its own, which lives as long as
// the body, and gives it up where no answer comes for too long.
func (s *stream) getWatched(ctx context.Context) (*Attrs, error) {
	ctx, cancel := context.WithCancel(ctx)
	waited := time.AfterFunc(s.d.core.retry.stall, cancel)
	attrs, body, err := s.d.core.driver.Get(ctx, s.req)
	if err != nil {
		cancel()
		if !waited.Stop() {
			return nil, &Error{Code: Unavailable, Retryable: true, Err: errors.Join(errStalled, err)}
		}
		return nil, err
	}
	if !waited.Stop() {
		_ = body.Close()
		return nil, &Error{Code: Unavailable, Retryable: true, Err: errStalled}
	}
	return attrs, s.adopt(body, cancel)
}

var errStalled = errors.New("no byte came for too long")

// adopt makes body the one that is read, unless Close came first.
func (s *stream) adopt(body io.ReadCloser, cancel context.CancelFunc) error {
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

// read delivers at least one byte, or an error that no further connection cures.
func (s *stream) read(p []byte) (int, *Error) {
	p = p[:min(int64(len(p)), s.left)]
	for empty := 0; ; {
		if err := s.ctx.Err(); err != nil { // a body on this machine does not look at it
			return 0, asError(s.ctx, err)
		}
		body, e := s.current()
		if e != nil {
			return 0, e
		}
		n, err := s.readWatched(body, p)
		if n > 0 {
			s.advance(int64(n))
			return n, nil // an error beside bytes comes again, or is cured
		}
		if err == nil {
			if empty++; empty < maxEmptyReads {
				continue
			}
			err = io.ErrNoProgress
		}
		if e := s.dropped(err); e != nil {
			return 0, e
		}
	}
}

func (s *stream) advance(n int64) {
	s.left -= n
	s.req.Offset += n
	s.req.Length = s.left
	if s.since += n; s.since >= freshStart {
		s.tried = tries{}
	}
}

// opened is the open body, or nil.
func (s *stream) opened() io.ReadCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body
}

// current is the open body, or a new one.
func (s *stream) current() (io.Reader, *Error) {
	s.mu.Lock()
	body, closed := s.body, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case body != nil:
		return body, nil
	}
	return s.reconnect()
}

// reconnect continues on the revision that the first answer had.
func (s *stream) reconnect() (io.Reader, *Error) {
	pinned := s.req.Condition.Revision
	attrs, e := s.connect()
	if e != nil {
		switch e.Code {
		case PreconditionFailed, ObjectNotFound, RangeNotSatisfiable:
			e.Code = Changed
		}
		return nil, e
	}
	if attrs.Revision != pinned {
		s.drop()
		return nil, &Error{Code: Changed}
	}
	if body := s.opened(); body != nil {
		return body, nil
	}
	return nil, errClosed
}

// readWatched is one Read, cut off where nothing comes for too long.
func (s *stream) readWatched(body io.Reader, p []byte) (int, error) {
	if s.d.core.desc.Local {
		return body.Read(p)
	}
	if s.watchdog == nil {
		s.watchdog = time.AfterFunc(s.d.core.retry.stall, func() {
			s.stalled.Store(true)
			s.interrupt()
		})
	} else {
		s.watchdog.Reset(s.d.core.retry.stall)
	}
	n, err := body.Read(p)
	s.watchdog.Stop()
	return n, err
}

// interrupt makes a Read that waits return.
func (s *stream) interrupt() {
	s.mu.Lock()
	cancel, body := s.cancel, s.body
	s.mu.Unlock()
	if body != nil {
		cancel()
		_ = body.Close()
	}
}

// dropped decides whether to go on after a connection ended early: nil, or why
// not.
func (s *stream) dropped(err error) *Error {
	s.drop()
	e := &Error{Code: Unavailable, Retryable: true, Err: io.ErrUnexpectedEOF}
	if err != io.EOF {
		e = asError(s.ctx, err)
	}
	if s.stalled.Swap(false) {
		e = &Error{Code: Unavailable, Retryable: true, Err: errStalled}
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	s.since = 0
	switch {
	case closed:
		return errClosed
	case s.ctx.Err() != nil:
		return asError(s.ctx, s.ctx.Err())
	case !e.Retryable && e.Code != Internal:
		return e
	}
	first := s.tried.failed == 0
	delay, again := s.d.core.retry.again(&s.tried, e)
	switch {
	case !again:
		return e
	case first && e.Code != RateLimited: // a connection that has worked: the next is made at once
		s.tried.waited = 0
	case sleep(s.ctx, delay) != nil:
		return s.d.gaveUp(s.ctx, e, false)
	}
	return nil
}

// drop closes the connection.
func (s *stream) drop() { s.end(false) }

// close ends the stream. It may come at any moment.
func (s *stream) close() { s.end(true) }

// end closes the connection; after the last one none is opened any more.
func (s *stream) end(last bool) {
	s.mu.Lock()
	s.closed = s.closed || last
	body, cancel := s.body, s.cancel
	s.body, s.cancel = nil, nil
	s.mu.Unlock()
	if body == nil {
		return
	}
	if cancel != nil && s.left > 0 {
		cancel() // a body of net/http waits in Close for a Read that waits
	}
	_ = body.Close()
	if cancel != nil {
		cancel()
	}
}

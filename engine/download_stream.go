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

// freshStart is after how many bytes a connection counts as one that works. The
// attempts are counted from 0 then.
const freshStart = 256 << 10

// A stream reads one range of one revision, over as many connections as it takes.
type stream struct {
	d    *download
	ctx  context.Context
	req  *driver.GetRequest // of the rest of the range, pinned to the revision of the first response
	left int64
	rest atomic.Int64 // left, for Close

	mu       sync.Mutex // guards body and cancel, between Read and Close
	body     io.ReadCloser
	cancel   context.CancelFunc
	watchdog *time.Timer
	stalled  atomic.Bool
	closed   bool

	tried backoff.Tries // connections that failed in a row
	since int64         // bytes since the last that failed
}

// pin sets the revision and the range to read.
func (s *stream) pin(revision string, offset, length int64) {
	s.req.Condition = storage.Condition{Revision: revision}
	s.req.Offset, s.req.Length, s.req.Suffix = offset, length, 0
	s.left = length
	s.rest.Store(length)
}

// connect makes a connection.
func (s *stream) connect() (*storage.Attrs, *storage.Error) {
	var attrs *storage.Attrs
	get := s.get
	if !s.d.op.core.desc.Local {
		get = s.getWatched
	}
	e := s.d.op.call(s.ctx, func(ctx context.Context) (err error) {
		attrs, err = get(ctx)
		return err
	})
	return attrs, e
}

// get makes a Get request; its body becomes the open one.
func (s *stream) get(ctx context.Context) (*storage.Attrs, error) {
	attrs, body, err := s.d.op.core.driver.Get(ctx, s.req)
	if err != nil {
		return nil, err
	}
	return attrs, s.adopt(body, nil)
}

// getWatched gives the connection a context of its own, which lives as long as the
// body, and gives up if no response comes for too long.
func (s *stream) getWatched(ctx context.Context) (*storage.Attrs, error) {
	ctx, cancel := context.WithCancel(wire.WithContent(ctx, s))
	waited := time.AfterFunc(s.d.op.core.retry.stall, cancel)
	attrs, body, err := s.d.op.hedgedGet(ctx, s.req)
	if err != nil {
		cancel()
		if !waited.Stop() {
			return nil, &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errors.Join(errStalled, err)}
		}
		return nil, err
	}
	if !waited.Stop() {
		_ = body.Close()
		return nil, &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errStalled}
	}
	return attrs, s.adopt(body, cancel)
}

var errStalled = errors.New("no byte came for too long")

// adopt makes body the open one, unless Close was called first.
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

// read delivers at least one byte, or an error that another connection cannot cure.
func (s *stream) read(p []byte) (int, *storage.Error) {
	p = p[:min(int64(len(p)), s.left)]
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
			return n, nil // an error returned with bytes recurs, or is cured
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

func (s *stream) advance(n int64) {
	s.left -= n
	s.rest.Store(s.left)
	s.req.Offset += n
	s.req.Length = s.left
	if s.since += n; s.since >= freshStart {
		s.tried = backoff.Tries{}
	}
}

// opened returns the open body, or nil.
func (s *stream) opened() io.ReadCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body
}

// current returns the open body, or a new one.
func (s *stream) current() (io.Reader, *storage.Error) {
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

// reconnect opens a new connection, on the revision of the first response.
func (s *stream) reconnect() (io.Reader, *storage.Error) {
	pinned := s.req.Condition.Revision
	attrs, e := s.connect()
	if e != nil {
		switch e.Code {
		case storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
			e.Code = storage.Changed
		}
		return nil, e
	}
	if attrs.Revision != pinned || s.d.attrs != nil && attrs.Size != s.d.attrs.Size {
		s.drop()
		return nil, &storage.Error{Code: storage.Changed}
	}
	if body := s.opened(); body != nil {
		return body, nil
	}
	return nil, errClosed
}

// readWatched makes one Read, and interrupts it if no byte comes for too long. The transport leaves
// that to it.
func (s *stream) readWatched(body io.Reader, p []byte) (int, error) {
	if s.d.op.core.desc.Local {
		return body.Read(p)
	}
	if s.watchdog == nil {
		s.watchdog = time.AfterFunc(s.d.op.core.retry.stall, func() {
			s.stalled.Store(true)
			s.interrupt()
		})
	} else {
		s.watchdog.Reset(s.d.op.core.retry.stall)
	}
	n, err := body.Read(p)
	s.watchdog.Stop()
	return n, err
}

// Pause stops the watchdog until the Read that is under way returns: it has its bytes, and a layer
// holds them back.
func (s *stream) Pause() {
	if s.watchdog != nil {
		s.watchdog.Stop()
	}
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

// afterDrop decides whether another connection may follow one that ended early with
// err: it returns nil, or why not.
func (s *stream) afterDrop(err error) *storage.Error {
	s.drop()
	e := &storage.Error{Code: storage.Unavailable, Retryable: true, Err: io.ErrUnexpectedEOF}
	if err != io.EOF {
		e = asError(s.ctx, err)
	}
	if s.stalled.Swap(false) {
		e = &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errStalled}
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
		return s.d.op.gaveUp(s.ctx, e, false)
	}
	return nil
}

// drop closes the connection.
func (s *stream) drop() { s.end(false) }

// close ends the stream. It may be called at any time.
func (s *stream) close() { s.end(true) }

// end closes the connection; if it is the last, no other is opened.
func (s *stream) end(last bool) {
	s.mu.Lock()
	s.closed = s.closed || last
	body, cancel := s.body, s.cancel
	s.body, s.cancel = nil, nil
	s.mu.Unlock()
	if body == nil {
		return
	}
	if cancel != nil && s.rest.Load() > 0 {
		cancel() // in Close, a body of net/http waits for a Read that waits
	}
	_ = body.Close()
	if cancel != nil {
		cancel()
	}
}

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
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/serving"
)

// steadyBytes is the number of bytes after which a connection counts as working. The count of
// failed attempts then starts at 0 again.
const steadyBytes = 256 << 10

// A section is a span of one revision of the object. If its connection drops, it opens another one
// for the rest.
type section struct {
	d         *download
	ctx       context.Context
	req       driver.GetRequest // requests the bytes that remain
	remaining atomic.Int64      // bytes

	mu       sync.Mutex // guards body, cancel and closed, because close may be called during read
	body     io.ReadCloser
	cancel   context.CancelFunc // nil if the driver is local
	watchdog *time.Timer
	closed   bool
	stalled  atomic.Bool

	tries     running.Tries // counts connections in a row that failed
	sinceDrop int64         // bytes that were read since the last connection failed

	fetched *fetched // nil unless a fetch reads the section
}

// set makes the section read length bytes from offset on.
func (s *section) set(offset, length int64) {
	s.req.Offset = offset
	s.req.Length = length
	s.req.Suffix = 0
	s.remaining.Store(length)
}

// connect opens a connection, with retries.
func (s *section) connect() (attrs *storage.Attrs, err *storage.Error) {
	return request(s.ctx, &s.d.op, s.get)
}

// get makes one Get request, and lets the section be read from its response. It fails if a remote
// store does not respond within the stall limit.
func (s *section) get(ctx context.Context) (*storage.Attrs, error) {
	engine := s.d.op.engine
	// A local store needs no limit of time.
	if engine.desc.Local {
		attrs, body, err := engine.driver.Get(ctx, &s.req)
		if err != nil {
			return nil, err
		}
		return attrs, s.setBody(body, nil)
	}

	// This context lives as long as the body.
	ctx, cancel := context.WithCancel(serving.WithContent(ctx, s))
	timer := time.AfterFunc(engine.retry.stall, cancel)
	attrs, body, err := s.d.op.hedgedGet(ctx, &s.req)
	inTime := timer.Stop() // false if the stall limit has passed and the timer has canceled ctx
	if err != nil {
		cancel()
		if !inTime {
			return nil, stalledError(err)
		}
		return nil, err
	}
	if !inTime {
		// The response came, but the timer has canceled its context.
		_ = body.Close()
		cancel()
		return nil, stalledError(nil)
	}
	return attrs, s.setBody(body, cancel)
}

// stalledError returns the error of a connection that has stalled, and that ended with err if err is
// not nil.
func stalledError(err error) *storage.Error {
	return &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Err:       errors.Join(errors.New("no byte came for too long"), err),
	}
}

// setBody lets the section be read from body, or closes body and fails if the section was closed.
// cancel ends the connection, and is nil for a local driver.
func (s *section) setBody(body io.ReadCloser, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = body.Close()
		if cancel != nil {
			cancel()
		}
		return errClosed
	}
	s.body = body
	s.cancel = cancel
	return nil
}

// read delivers at least one byte or an error. If a connection ends early, it opens others until one
// delivers a byte or no retry is left.
func (s *section) read(p []byte) (int, *storage.Error) {
	p = p[:min(int64(len(p)), s.remaining.Load())]
	emptyReads := 0 // reads of the open body in this call that brought neither a byte nor an error
	for {
		if err := s.ctx.Err(); err != nil {
			// The body of a local driver does not check ctx.
			return 0, asError(s.ctx, err)
		}
		body, connectErr := s.current()
		if connectErr != nil {
			return 0, connectErr
		}
		n, err := s.readWatched(body, p)
		if n > 0 {
			s.advance(int64(n))
			// err may be dropped, because the next call gets it again.
			return n, nil
		}

		if err == nil {
			emptyReads++
			if emptyReads < buffer.MaxEmptyReads {
				continue
			}
			err = io.ErrNoProgress
		}

		// The connection has ended early. If the retry policy permits it, the loop opens another.
		emptyReads = 0
		if err := s.prepareReconnect(err); err != nil {
			return 0, err
		}
	}
}

// advance records that n bytes were read. After steadyBytes without a drop, all retries are
// permitted again.
func (s *section) advance(n int64) {
	s.req.Offset += n
	s.req.Length = s.remaining.Add(-n)
	s.sinceDrop += n
	if s.sinceDrop >= steadyBytes {
		s.tries = running.Tries{}
	}
}

// opened returns the open body, or nil, and whether close was called.
func (s *section) opened() (body io.ReadCloser, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body, s.closed
}

// current returns the open body, and opens another connection if there is none.
func (s *section) current() (io.Reader, *storage.Error) {
	body, closed := s.opened()
	if body == nil && !closed {
		if err := s.reconnect(); err != nil {
			return nil, err
		}
		body, closed = s.opened()
	}
	if closed {
		return nil, errClosed
	}
	return body, nil
}

// reconnect opens another connection to the pinned revision, or fails with Changed if the object has
// changed.
func (s *section) reconnect() *storage.Error {
	attrs, err := s.connect()
	if err != nil {
		switch err.Code {
		case storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
			err.Code = storage.Changed
		}
		return err
	}
	if attrs.Revision != s.req.Condition.Revision || attrs.Size != s.d.reader.Attrs().Size {
		s.drop()
		return &storage.Error{Code: storage.Changed}
	}
	return nil
}

// readWatched makes one Read, and interrupts it if no byte arrives within the stall limit. The
// transport has no such limit for bodies.
func (s *section) readWatched(body io.Reader, p []byte) (int, error) {
	engine := s.d.op.engine
	if engine.desc.Local {
		return body.Read(p)
	}
	if s.watchdog == nil {
		s.watchdog = time.AfterFunc(engine.retry.stall, s.interrupt)
	} else {
		s.watchdog.Reset(engine.retry.stall)
	}
	n, err := body.Read(p)
	s.watchdog.Stop()
	return n, err
}

// Pause stops the watchdog until the current Read returns. A layer calls Pause if it has received
// bytes but must wait before it returns them.
func (s *section) Pause() {
	if s.watchdog != nil {
		s.watchdog.Stop()
	}
}

// interrupt ends a stalled Read, by canceling the connection and closing the body.
func (s *section) interrupt() {
	s.stalled.Store(true)
	s.mu.Lock()
	cancel := s.cancel
	body := s.body
	s.mu.Unlock()
	if body != nil {
		// Only a local driver has no cancel, and its reads are not watched.
		cancel()
		_ = body.Close()
	}
}

// prepareReconnect drops the connection, which ended early with err. It waits as the retry policy
// demands, and returns nil if another connection may then be opened. Otherwise it returns the error of
// the section.
func (s *section) prepareReconnect(err error) *storage.Error {
	s.drop()
	dropErr := s.dropError(err)
	s.sinceDrop = 0

	// No other connection may be opened after the section was closed, or its context has ended.
	if _, closed := s.opened(); closed {
		return errClosed
	}
	if s.ctx.Err() != nil {
		return asError(s.ctx, s.ctx.Err())
	}
	// A lost connection often is an error that the driver does not know, which has the code Internal.
	mayBeConnection := dropErr.Code == storage.Internal
	if !dropErr.Retryable && !mayBeConnection {
		return dropErr
	}

	// Ask the retry policy, which counts each lost connection as a failed attempt.
	isFirstDrop := s.tries.Failed == 0
	delay, mayRetry := s.d.op.engine.retry.allow(&s.tries, dropErr)
	if !mayRetry {
		return dropErr
	}
	if isFirstDrop && dropErr.Code != storage.RateLimited {
		// Reconnect at once, because the lost connection had worked. allow has counted a wait.
		s.tries.Waited = 0
		return nil
	}
	if running.Sleep(s.ctx, delay) != nil {
		return s.d.op.waitError(s.ctx, dropErr, false)
	}
	return nil
}

// dropError returns the error of a connection that ended early with err, which may be io.EOF.
func (s *section) dropError(err error) *storage.Error {
	// The watchdog has interrupted a stalled Read. The next connection begins without that mark.
	if s.stalled.Swap(false) {
		return stalledError(nil)
	}
	if err == io.EOF {
		return &storage.Error{
			Code:      storage.Unavailable,
			Retryable: true,
			Err:       io.ErrUnexpectedEOF,
		}
	}
	return asError(s.ctx, err)
}

// drop closes the connection. Another one may be opened.
func (s *section) drop() { s.end(false) }

// close ends the section: it closes the connection, and no other is opened. It may be called at any
// time.
func (s *section) close() { s.end(true) }

// end closes the open connection. If isLast is true, the section is closed, too, and gets no other.
func (s *section) end(isLast bool) {
	s.mu.Lock()
	s.closed = s.closed || isLast
	body := s.body
	cancel := s.cancel
	s.body = nil
	s.cancel = nil
	s.mu.Unlock()
	if body == nil {
		return
	}

	// Only a connection to a remote store can be canceled.
	isRemote := cancel != nil
	if !isRemote {
		_ = body.Close()
		return
	}

	// The context must end in any case, to free its resources. But a body that was read to its end is
	// closed first, so that the connection can be used again.
	defer cancel()
	if s.remaining.Load() > 0 {
		// Closing the body of an HTTP response waits for a blocked Read, unless that is canceled.
		cancel()
	}
	_ = body.Close()
}

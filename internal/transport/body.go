package transport

import (
	"errors"
	"io"
	"sync"
)

var errLetGo = errors.New("the exchange has ended")

// A requestBody is the caller's body as net/http sees it. net/http may still read in its own
// goroutine after RoundTrip has returned, until exchange.end stops it.
type requestBody struct {
	inner    io.ReadCloser
	exchange *exchange

	mu      sync.Mutex
	idle    sync.Cond // of mu: reading has become false
	reading bool
	closed  bool
	read    int64 // bytes
}

func (x *exchange) watchBody(inner io.ReadCloser) io.ReadCloser {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := &x.firstBody
	if len(x.bodies) == 0 {
		x.bodies = x.firstRoom[:0]
	} else {
		b = &requestBody{}
	}
	x.bodies = append(x.bodies, b)
	b.inner, b.exchange, b.idle.L = inner, x, &b.mu
	x.whole = false // of a replay, from the start
	return b
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, errLetGo
	}
	b.reading = true
	b.mu.Unlock()

	b.exchange.sourceReads()
	returned := false
	defer func() {
		if !returned { // runtime.Goexit: net/http's own goroutine ends too, and tells nobody
			b.rested(0)
			b.exchange.cancel(errLetGo)
		}
	}()
	n, err := b.inner.Read(p)
	returned = true
	sofar := b.rested(n)
	if err == nil || err == io.EOF {
		b.exchange.handedOver(sofar, err == io.EOF)
	}
	return n, err
}

// rested is called after each Read. It returns the number of bytes that were read so far.
func (b *requestBody) rested(n int) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.read += int64(n)
	b.idle.Broadcast()
	return b.read
}

// net/http calls Close when it has read enough, and so does exchange.end. A Read may run at the
// same time, as with any body that HTTP/2 sends.
func (b *requestBody) Close() error {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		return nil
	}
	return b.inner.Close()
}

func (b *requestBody) waitIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.reading {
		b.idle.Wait()
	}
}

// A responseBody is the body of the response, which the watchdog times while it is read.
type responseBody struct {
	inner    io.ReadCloser
	exchange *exchange
	once     sync.Once
	err      error // of Close

	unwatched bool // somebody else times the Reads
	bounded   bool
	left      int64 // bytes, if bounded
}

func (b *responseBody) Read(p []byte) (int, error) {
	if !b.unwatched {
		b.exchange.wait(b.exchange.stall)
	}
	n, err := b.inner.Read(p)
	if !b.unwatched {
		b.exchange.rest()
	}
	if b.bounded {
		if b.left -= int64(n); b.left < 0 {
			return 0, &Error{Sent: true, Err: ErrTooLong}
		}
	}
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		b.exchange.finish()
		return n, io.EOF
	default:
		return n, b.exchange.fail(err)
	}
}

// Close may be called any number of times. If a Read is in progress, Close ends it.
func (b *responseBody) Close() error {
	b.once.Do(func() {
		b.err = b.inner.Close()
		b.exchange.end()
	})
	return b.err
}

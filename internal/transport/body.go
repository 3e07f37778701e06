package transport

import (
	"errors"
	"io"
	"sync"
)

var errEnded = errors.New("the exchange has ended")

// A requestBody wraps the caller's body for net/http. After RoundTrip has returned, a goroutine of
// net/http may still read the body. The method exchange.end stops that.
type requestBody struct {
	inner    io.ReadCloser
	exchange *exchange

	mu      sync.Mutex
	idle    sync.Cond // signals that no Read is in progress any more; uses mu
	reading bool
	closed  bool
	read    int64 // number of bytes that were read
}

// watchBody returns a wrapper of the request's body for net/http to read. It is called once for the
// request, and once for each replay of the request, which reads its body from the start.
func (x *exchange) watchBody(inner io.ReadCloser) io.ReadCloser {
	x.mu.Lock()
	defer x.mu.Unlock()

	x.bodyRead = false
	b := x.addBodyLocked()
	b.inner = inner
	b.exchange = x
	b.idle.L = &b.mu
	return b
}

// addBodyLocked adds an empty requestBody to x.bodies, and returns it. The caller must hold x.mu.
func (x *exchange) addBodyLocked() *requestBody {
	if len(x.bodies) == 0 {
		// The first body needs no allocation, because the exchange contains it.
		x.bodies = append(x.firstBodies[:0], &x.firstBody)
		return &x.firstBody
	}

	b := &requestBody{}
	x.bodies = append(x.bodies, b)
	return b
}

// Read reads the caller's body, and tells the exchange when a Read begins and ends. It fails once
// the body is closed.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, errEnded
	}
	b.reading = true
	b.mu.Unlock()
	b.exchange.beforeBodyRead()

	// If Read calls runtime.Goexit, it ends the goroutine of net/http without an error, so the
	// exchange must end here.
	hasReturned := false
	defer func() {
		if !hasReturned {
			b.endRead(0)
			b.exchange.cancel(errEnded)
		}
	}()
	n, err := b.inner.Read(p)
	hasReturned = true

	total := b.endRead(n)
	if err == nil || err == io.EOF {
		b.exchange.afterBodyRead(total, err == io.EOF)
	}
	return n, err
}

// endRead marks the end of a Read that returned n bytes, and returns how many bytes were read in
// total.
func (b *requestBody) endRead(n int) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.read += int64(n)
	b.idle.Broadcast()
	return b.read
}

// Close closes the caller's body, which must permit that during a Read, as net/http also requires
// for HTTP/2. It may be called several times.
func (b *requestBody) Close() error {
	b.mu.Lock()
	wasClosed := b.closed
	b.closed = true
	b.mu.Unlock()
	if wasClosed {
		return nil
	}
	return b.inner.Close()
}

// waitIdle waits until no Read is in progress.
func (b *requestBody) waitIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.reading {
		b.idle.Wait()
	}
}

// A responseBody is the body of a response. While the caller reads it, the watchdog ends the
// exchange if no byte arrives for too long.
type responseBody struct {
	inner    io.ReadCloser
	exchange *exchange
	once     sync.Once
	err      error // error that Close returned

	unwatched bool // true if the engine itself limits the time of each Read
	bounded   bool
	left      int64 // bytes that may still be read; only used if bounded is true
}

// Read reads the response. It fails if the server is silent for too long, unless b.unwatched is
// true, or if a bounded body has too many bytes.
func (b *responseBody) Read(p []byte) (int, error) {
	if !b.unwatched {
		b.exchange.startTimer(b.exchange.stall)
	}
	n, err := b.inner.Read(p)
	if !b.unwatched {
		b.exchange.stopTimer()
	}

	// A body that a driver reads to its end must not be too long.
	if b.bounded {
		b.left -= int64(n)
		if b.left < 0 {
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

// Close ends a Read in progress. It may be called several times.
func (b *responseBody) Close() error {
	b.once.Do(func() {
		b.err = b.inner.Close()
		b.exchange.end()
	})
	return b.err
}

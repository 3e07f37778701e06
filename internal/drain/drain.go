// Package drain responds to a request that is refused before its body is read. If the
// connection is closed while the client is still sending, the client sees a reset and not the
// response. If the body is read first, a client that has stalled gets its response late.
package drain

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/panics"
)

const (
	// limit is how long a refused body is read. A client may send a byte a minute.
	limit = 30 * time.Second
	// grace is how long the response waits for a client that sends nothing, and patience for one that
	// sends the body, so that the connection of a small body stays open.
	grace    = 200 * time.Millisecond
	patience = 5 * time.Second
	// linger is how long a connection stays open after the response if no more of the body can be
	// read, so that the client can read the response.
	linger = 500 * time.Millisecond
)

// Respond calls respond, which writes the response, and reads the rest of the body, up to max bytes and for
// 30 seconds. If ctx is done, it reads no more. If the client sends nothing for 200 milliseconds, or sends for
// longer than 5 seconds, the response comes first, closes the connection, and reading on does not heed ctx.
// The response needs a Content-Length: without it, the client waits for its end while the body is read on.
//
// No Read is in progress during the response: that of [http.MaxBytesReader] may change its header.
// Therefore a chunked body is not read on after the response, because its reader keeps the error of
// a Read that was ended, here or by the caller. Its connection stays open for another 500 milliseconds.
//
// A middleware may hide the connection, and so its deadline, from [http.ResponseController]. Then
// the response comes with the end of the body, or after 30 seconds, and only the server's
// ReadTimeout ends a client that sends nothing.
func Respond(ctx context.Context, w http.ResponseWriter, rest io.Reader, max int64, respond func()) {
	conn, until := http.NewResponseController(w), time.Now().Add(limit)
	first := begin(rest, max, until)
	over := first.waitWhileBytesCome(ctx)
	gone := ctx.Err() != nil // net/http also ends ctx with the Read that stop ends
	stopped := !over && first.stop(conn)
	if !over && !stopped {
		over = first.wait(ctx, time.Until(until))
	}
	if stopped || !over || !first.whole {
		w.Header().Set("Connection", "close")
	}
	if stopped {
		_ = conn.EnableFullDuplex() // the body is read further
	}
	respond()
	if !over && !stopped {
		return
	}
	first.caught.Raise()
	if gone {
		return
	}
	last := first
	if stopped {
		_ = conn.Flush()
		_ = conn.SetReadDeadline(until)
		last = begin(rest, max-first.bytes.Load(), until)
		_ = last.wait(context.WithoutCancel(ctx), time.Until(until)) || last.stop(conn)
		last.caught.Raise()
	}
	if last.timedOut && time.Now().Before(until) {
		_ = conn.Flush()
		time.Sleep(linger)
	}
}

// A reading reads the rest of a body in a goroutine of its own.
type reading struct {
	ended chan struct{}
	bytes atomic.Int64
	// Valid when ended is closed:
	whole    bool // the body was read to its end
	timedOut bool
	caught   panics.Caught
}

func begin(rest io.Reader, max int64, until time.Time) *reading {
	r := &reading{ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.caught.Do(func() {
			_, err := io.CopyN(io.Discard, &timedReader{rest, until, &r.bytes}, max)
			r.whole, r.timedOut = err == io.EOF, errors.Is(err, os.ErrDeadlineExceeded)
		}, nil)
	}()
	return r
}

// wait waits for the end of the body, and reports whether it was reached.
func (r *reading) wait(ctx context.Context, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-r.ended:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// waitWhileBytesCome waits for the end of the body until the client stalls, and reports whether
// the end was reached.
func (r *reading) waitWhileBytesCome(ctx context.Context) bool {
	for until := time.Now().Add(patience); ; {
		bytes := r.bytes.Load()
		if r.wait(ctx, grace) {
			return true
		}
		if ctx.Err() != nil || r.bytes.Load() == bytes || !time.Now().Before(until) {
			return false
		}
	}
}

// stop ends the Read in progress. If a middleware hides the connection, stop returns false, and the
// Read ends with the request.
func (r *reading) stop(conn *http.ResponseController) bool {
	if errors.Is(conn.SetReadDeadline(time.Now()), http.ErrNotSupported) {
		return false
	}
	<-r.ended
	return true
}

type timedReader struct {
	from  io.Reader
	until time.Time
	bytes *atomic.Int64
}

func (t *timedReader) Read(p []byte) (int, error) {
	if !time.Now().Before(t.until) {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := t.from.Read(p)
	t.bytes.Add(int64(n))
	return n, err
}

// Package drain responds to a request that is refused before its body was read. If the
// connection is closed while the client is still sending, the client sees a reset and not the
// response. If the body is read first, a client that has stalled gets its response late.
package drain

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/omnibucket/storage/internal/panics"
)

const (
	// limit is how long a refused body is read. A client may send a byte a minute.
	limit = 30 * time.Second
	// grace is how long the response waits for the end of the body, so that the connection of a
	// small body stays open.
	grace = 200 * time.Millisecond
)

// Respond calls respond, which writes the response, and reads the rest of the body, up to max
// bytes and for 30 seconds, or until ctx is done. If the body does not end in 200 milliseconds, the
// response comes first, and closes the connection.
//
// No Read is in progress during the response: that of [http.MaxBytesReader] may change its header.
// Therefore a chunked body is not read on after the response, because its reader keeps the error of
// a Read that was ended.
//
// A middleware may hide the connection, and so its deadline, from [http.ResponseController]. Then
// the response comes with the end of the body, or after 30 seconds, and only the server's
// ReadTimeout ends a client that sends nothing.
func Respond(ctx context.Context, w http.ResponseWriter, rest io.Reader, max int64, respond func()) {
	conn, until := http.NewResponseController(w), time.Now().Add(limit)
	first := begin(rest, max, until)
	over := first.wait(ctx, grace)
	stopped := !over && first.stop(conn)
	if !over && !stopped {
		over = first.wait(ctx, time.Until(until))
	}
	if stopped || !over || !first.whole {
		w.Header().Set("Connection", "close")
	}
	if stopped {
		_ = conn.EnableFullDuplex() // the body is read on
	}
	respond()
	if stopped && ctx.Err() == nil {
		_ = conn.Flush()
		_ = conn.SetReadDeadline(until)
		second := begin(rest, max-first.bytes, until)
		_ = second.wait(ctx, time.Until(until)) || second.stop(conn)
		second.caught.Raise()
	}
	if over || stopped {
		first.caught.Raise()
	}
}

// A reading reads the rest of a body in a goroutine of its own.
type reading struct {
	ended chan struct{}
	// When ended is closed:
	bytes  int64
	whole  bool // the body was read to its end
	caught panics.Caught
}

func begin(rest io.Reader, max int64, until time.Time) *reading {
	r := &reading{ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.caught.Do(func() {
			n, err := io.CopyN(io.Discard, &timedReader{rest, until}, max)
			r.bytes, r.whole = n, err == io.EOF
		}, nil)
	}()
	return r
}

// wait waits for the end, and reports whether it has come.
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
}

func (t *timedReader) Read(p []byte) (int, error) {
	if !time.Now().Before(t.until) {
		return 0, os.ErrDeadlineExceeded
	}
	return t.from.Read(p)
}

// Package drain responds to a request that is refused before its body was read. If the
// connection is closed while the client is still sending, the client sees a reset and not the
// response. If the body is read first, a client that has stalled gets its response late.
package drain

import (
	"context"
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
// A middleware may hide the connection, and so its deadline, from [http.ResponseController]. Then
// only the server's ReadTimeout ends a client that sends nothing; its response has been sent.
func Respond(ctx context.Context, w http.ResponseWriter, rest io.Reader, max int64, respond func()) {
	r := &reading{ended: make(chan struct{}), until: time.Now().Add(limit)}
	go r.run(rest, max)
	if r.wait(ctx, grace) {
		if !r.whole {
			w.Header().Set("Connection", "close")
		}
		respond()
		r.caught.Raise()
		return
	}
	conn := http.NewResponseController(w)
	w.Header().Set("Connection", "close")
	_ = conn.EnableFullDuplex() // the body is still read
	defer r.end(ctx, conn)
	respond()
	_ = conn.Flush()
}

// A reading reads the rest of a body in a goroutine of its own.
type reading struct {
	ended  chan struct{}
	whole  bool // the body was read to its end; valid when ended is closed
	until  time.Time
	caught panics.Caught
}

func (r *reading) run(rest io.Reader, max int64) {
	defer close(r.ended)
	r.caught.Do(func() {
		_, err := io.CopyN(io.Discard, &timedReader{rest, r.until}, max)
		r.whole = err == io.EOF
	}, nil)
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

// end waits for the end of the body, and then ends the Read in progress.
func (r *reading) end(ctx context.Context, conn *http.ResponseController) {
	if !r.wait(ctx, time.Until(r.until)) && conn.SetReadDeadline(time.Now()) != nil {
		return // the Read ends with the request
	}
	<-r.ended
	r.caught.Raise()
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

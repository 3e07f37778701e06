package webserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/running"
)

const (
	// drainLimit is the longest time for which a refused body is read, because a client may send only
	// a byte a minute.
	drainLimit = 30 * time.Second
	// grace is how long the response waits for a client that sends nothing. patience is how long it
	// waits for a client that keeps sending. If the body ends in that time, the connection can be
	// used again.
	grace    = 200 * time.Millisecond
	patience = 5 * time.Second
	// linger is how long a connection stays open after the response, if the rest of the body cannot
	// be read. The client can read the response in that time.
	linger = 500 * time.Millisecond
)

// Refuse discards the rest of the body of a request that is refused, and calls the function respond,
// which writes the response. If the server closed the connection while the client is still sending,
// the client would see a reset in place of the response. If the server read the whole body first, a
// stalled client would get its response late.
//
// Refuse reads at most maxBytes bytes, for at most 30 seconds, and stops when ctx is done.
// The response must have a Content-Length. Without it, the client would wait for the end of the
// response while the body is read.
//
// Usually the response comes after the body. The response comes first if the client sends nothing
// for 200 milliseconds, or is still sending after 5 seconds. The response then has the header
// "Connection: close", and Refuse continues to read, even if ctx is done.
//
// If the response comes first, Refuse sets a deadline to end the current Read of the body before
// the response. Otherwise, a Read of [http.MaxBytesReader] could change the header of the response.
// After the deadline, net/http cannot read more of a chunked body. For such a body, Refuse only
// keeps the connection open for another 500 milliseconds.
//
// If a middleware hides the connection from [http.ResponseController], Refuse cannot set a
// deadline. The response then comes at the end of the body, or after 30 seconds. If the client
// sends nothing, the request ends only after the ReadTimeout of the server.
func Refuse(ctx context.Context, w http.ResponseWriter, rest io.Reader, maxBytes int64, respond func()) {
	conn := http.NewResponseController(w)
	end := time.Now().Add(drainLimit)
	first := startReading(rest, maxBytes, end)
	hasEnded := first.waitWhileBytesCome(ctx)

	// This must be known before stop ends the Read, because net/http then cancels ctx.
	isCanceled := ctx.Err() != nil

	// If the client is slow, end the Read. The response then comes first.
	isStopped := !hasEnded && first.stop(conn)
	if isStopped {
		w.Header().Set("Connection", "close")
		_ = conn.EnableFullDuplex() // so that the body can be read after the response
		respond()
		first.caught.Raise()
		if !isCanceled {
			second := first.resume(ctx, conn, rest, maxBytes, end)
			second.keepOpen(conn, end)
		}
		return
	}

	// Otherwise the body has ended, or a middleware hides the connection and the Read continues. In that case,
	// wait for its end.
	if !hasEnded {
		hasEnded = first.wait(ctx, time.Until(end))
	}
	isWhole := hasEnded && first.whole
	if !isWhole {
		w.Header().Set("Connection", "close")
	}
	respond()
	if !hasEnded {
		// The reading continues until the request ends.
		return
	}
	first.caught.Raise()
	if !isCanceled {
		first.keepOpen(conn, end)
	}
}

// keepOpen keeps the connection open for a moment after the response, so that the client can read
// it, if the reading was ended by a deadline before the time end.
func (r *reading) keepOpen(conn *http.ResponseController, end time.Time) {
	if r.timedOut && time.Now().Before(end) {
		_ = conn.Flush()
		time.Sleep(linger)
	}
}

// resume sends the response, and then reads the rest of the body, after stop has ended the reading r. It
// returns when this second reading has ended.
func (r *reading) resume(
	ctx context.Context, conn *http.ResponseController, rest io.Reader, maxBytes int64, end time.Time,
) *reading {
	_ = conn.Flush()              // the client gets the response now
	_ = conn.SetReadDeadline(end) // stop has set one that has passed
	second := startReading(rest, maxBytes-r.bytes.Load(), end)
	if !second.wait(context.WithoutCancel(ctx), time.Until(end)) {
		// The first stop has shown that the connection is not hidden.
		_ = second.stop(conn)
	}
	second.caught.Raise()
	return second
}

// A reading is a goroutine that reads the rest of a body.
type reading struct {
	ended chan struct{}
	bytes atomic.Int64
	// The following fields may be read after the goroutine has closed the channel.
	whole    bool // true if the body was read to its end
	timedOut bool
	caught   running.Caught
}

// startReading starts a goroutine that reads and discards at most maxBytes bytes of rest, until the time end.
func startReading(rest io.Reader, maxBytes int64, end time.Time) *reading {
	r := &reading{ended: make(chan struct{})}
	read := func() {
		src := &timedReader{
			inner:    rest,
			deadline: end,
			bytes:    &r.bytes,
		}
		_, err := io.CopyN(io.Discard, src, maxBytes)
		r.whole = err == io.EOF
		r.timedOut = errors.Is(err, os.ErrDeadlineExceeded)
	}
	go func() {
		defer close(r.ended)
		// If the body's Read panics, the goroutine that waits for the reading panics in its place.
		r.caught.Do(read, nil)
	}()
	return r
}

// wait waits for the end of the reading, and reports whether it has come. It gives up when ctx is
// done, or after limit.
func (r *reading) wait(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-r.ended:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// waitWhileBytesCome waits until the reading has ended, and then returns true. It returns false if
// the client stops sending or takes too long.
func (r *reading) waitWhileBytesCome(ctx context.Context) bool {
	end := time.Now().Add(patience)
	for {
		before := r.bytes.Load()
		if r.wait(ctx, grace) {
			return true
		}

		sendsNothing := r.bytes.Load() == before
		if sendsNothing || ctx.Err() != nil || !time.Now().Before(end) {
			return false
		}
	}
}

// stop ends the Read in progress. It returns false if a middleware hides the connection, and the
// Read then continues until the request ends.
func (r *reading) stop(conn *http.ResponseController) bool {
	if errors.Is(conn.SetReadDeadline(time.Now()), http.ErrNotSupported) {
		return false
	}
	<-r.ended
	return true
}

type timedReader struct {
	inner    io.Reader
	deadline time.Time
	bytes    *atomic.Int64
}

// Read counts the bytes, and fails after the deadline.
func (t *timedReader) Read(p []byte) (int, error) {
	if !time.Now().Before(t.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := t.inner.Read(p)
	t.bytes.Add(int64(n))
	return n, err
}

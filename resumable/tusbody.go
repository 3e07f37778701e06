package resumable

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	pieceBytes = 64 << 10
	drainFor   = 5 * time.Second
)

// A piece is what one Read of a body returned.
type piece struct {
	data []byte
	err  error // io.EOF after the last one
}

// A feed reads a body, so that the receiver can act while the client sends nothing.
type feed struct {
	pieces chan piece
	free   chan []byte
	stop   chan struct{}
	ended  chan struct{}
	w      http.ResponseWriter
	over   bool // the last piece was received
}

func newFeed(c *call) *feed {
	f := &feed{
		pieces: make(chan piece), free: make(chan []byte, 2),
		stop: make(chan struct{}), ended: make(chan struct{}), w: c.w,
	}
	f.free <- make([]byte, pieceBytes)
	f.free <- make([]byte, pieceBytes)
	go f.read(c.Body)
	return f
}

func (f *feed) read(body io.Reader) {
	defer close(f.ended)
	for {
		var buf []byte
		select {
		case buf = <-f.free:
		case <-f.stop:
			return
		}
		n, err := body.Read(buf)
		select {
		case f.pieces <- piece{buf[:n], err}:
		case <-f.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// recycle returns the buffer of a piece that was used.
func (f *feed) recycle(p piece) {
	f.over = f.over || p.err != nil
	f.free <- p.data[:cap(p.data)]
}

// drain reads the rest of a refused body for a moment, so that the client sees the
// response and not a reset.
func (f *feed) drain() {
	timer := time.NewTimer(drainFor)
	defer timer.Stop()
	for left := maxDrain; left > 0; {
		select {
		case <-f.ended:
			return
		case p := <-f.pieces:
			left -= len(p.data)
			if f.recycle(p); f.over {
				return
			}
		case <-timer.C:
			return
		}
	}
}

// close ends the feed. It must be called before the response is written. If the body is not
// over, a deadline ends the Read in progress, and with it the connection. If a middleware
// hides the connection, the Read ends with the request.
func (f *feed) close() {
	close(f.stop)
	if f.over {
		<-f.ended
		return
	}
	f.w.Header().Set("Connection", "close")
	conn := http.NewResponseController(f.w)
	if errors.Is(conn.SetReadDeadline(time.Now()), http.ErrNotSupported) {
		return
	}
	<-f.ended
	_ = conn.SetReadDeadline(time.Time{})
}

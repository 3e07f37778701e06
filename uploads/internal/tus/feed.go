package tus

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// A chunk is the result of one Read of a body.
type chunk struct {
	data []byte
	err  error // io.EOF with the last chunk
}

// A feed reads a body in its own goroutine, so that the receiver can continue to work while the
// client sends nothing.
type feed struct {
	pieces  chan chunk
	free    chan []byte   // buffers that are not in use
	stop    chan struct{} // closed when nobody receives chunks any more
	reading running.Group
	w       http.ResponseWriter
	release func()
	// hasEnded is true if the last chunk was received.
	hasEnded bool
}

// newFeed returns a feed of the request's body, which may have at most limit bytes, or any number if
// limit is -1. If there is no memory for the feed, newFeed fails with Busy.
func (t *Handler) newFeed(c *call, limit int64) (*feed, error) {
	// Take memory for the two buffers below. The receiver itself takes the memory for parts.
	const bucketBuffer = 0
	release, err := c.Share(bucketBuffer)
	if err != nil {
		return nil, err
	}
	f := &feed{
		pieces:  make(chan chunk),
		free:    make(chan []byte, 2),
		stop:    make(chan struct{}),
		w:       c.W,
		release: release,
	}
	// With two buffers, one can be filled while the receiver uses the other.
	f.free <- make([]byte, intake.PieceBytes)
	f.free <- make([]byte, intake.PieceBytes)

	afterPanic := func() {
		f.send(chunk{err: running.ErrPanicked})
	}
	f.reading.Go(func() { f.read(c.Body, limit) }, afterPanic)
	return f, nil
}

// read reads the body into chunks until it ends or the feed stops. The body may have at most remaining bytes, or
// any number if that is negative.
func (f *feed) read(body io.Reader, remaining int64) {
	isLimited := remaining >= 0
	for {
		// Wait for a free chunk.
		var buf []byte
		select {
		case buf = <-f.free:
		case <-f.stop:
			return
		}

		if isLimited {
			// One byte more shows that the body is too long, without waiting for others from a slow client.
			buf = buf[:min(int64(len(buf)), remaining+1)]
		}
		n, err := body.Read(buf)
		isSent := f.send(chunk{data: buf[:n], err: err})
		if !isSent || err != nil {
			return
		}

		// If the body is too long, the receiver refuses this chunk and closes the feed.
		remaining -= int64(n)
		isLimited = isLimited && remaining >= 0
	}
}

// send sends a chunk to the receiver, or returns false if the feed was closed.
func (f *feed) send(c chunk) bool {
	select {
	case f.pieces <- c:
		return true
	case <-f.stop:
		return false
	}
}

// recycle returns the buffer of a used chunk to the reading goroutine.
func (f *feed) recycle(p chunk) {
	f.hasEnded = f.hasEnded || p.err != nil
	f.free <- p.data[:cap(p.data)]
}

// Close stops the feed, and must be called before the response is written. It returns false if the goroutine of the
// feed still reads the body, because a middleware hides the connection.
//
// If the body has not ended, the response closes the connection.
func (f *feed) Close() bool {
	defer f.release()
	close(f.stop)
	if f.hasEnded {
		f.reading.Wait()
		return true
	}

	// The goroutine may be waiting for bytes of the client, which a deadline ends.
	conn := http.NewResponseController(f.w)
	if errors.Is(conn.SetReadDeadline(time.Now()), http.ErrNotSupported) {
		f.w.Header().Set("Connection", "close")
		return false
	}
	f.reading.Wait()

	// A Read of http.MaxBytesReader may change the header, so set it only after the last one.
	f.w.Header().Set("Connection", "close")
	_ = conn.SetReadDeadline(time.Time{})
	return true
}

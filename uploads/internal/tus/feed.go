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
	over    bool // true if the last chunk was received
}

// newFeed returns a feed of the request's body. The body may have at most limit bytes. If limit is
// -1, the body may have any length. The memory of the feed counts toward Config.MemoryLimit. If
// there is no memory, newFeed fails with Busy.
func (t *Handler) newFeed(c *call, limit int64) (*feed, error) {
	release, err := c.Share(0)
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
	afterPanic := func() { f.pass(chunk{err: running.ErrPanicked}) }
	f.reading.Go(func() { f.read(c.Body, limit) }, afterPanic)
	return f, nil
}

// read reads the body into chunks. If remaining is -1, the body may have any number of bytes.
// Otherwise, the body may have at most this number of bytes. The last Read then asks for one byte
// more, which shows that the body is too long. A larger Read could wait for more bytes from a slow
// client, and the error would come later.
func (f *feed) read(body io.Reader, remaining int64) {
	for {
		var buf []byte
		select {
		case buf = <-f.free:
		case <-f.stop:
			return
		}
		if remaining >= 0 {
			buf = buf[:min(int64(len(buf)), remaining+1)]
		}
		n, err := body.Read(buf)
		// The value -1 means that there is no limit. If the body is too long, receiver.add fails
		// for this chunk. No later chunk is used, so no later chunk needs a limit.
		remaining -= int64(n)
		if remaining < 0 {
			remaining = -1
		}
		if !f.pass(chunk{buf[:n], err}) || err != nil {
			return
		}
	}
}

// pass sends a chunk to the receiver. If the feed was closed, it returns false.
func (f *feed) pass(p chunk) bool {
	select {
	case f.pieces <- p:
		return true
	case <-f.stop:
		return false
	}
}

// recycle returns the buffer of a used chunk to the reading goroutine.
func (f *feed) recycle(p chunk) {
	f.over = f.over || p.err != nil
	f.free <- p.data[:cap(p.data)]
}

// Close stops the feed before the response is written. It reports whether the goroutine of the feed
// has ended. If the body has not ended, Close sets a deadline to end the Read in progress, and
// makes the response close the connection. If a middleware hides the connection, close cannot set a
// deadline and returns false. The Read then ends with the request.
func (f *feed) Close() bool {
	defer f.release()
	close(f.stop)
	if f.over {
		f.reading.Wait()
		return true
	}
	conn := http.NewResponseController(f.w)
	if errors.Is(conn.SetReadDeadline(time.Now()), http.ErrNotSupported) {
		f.w.Header().Set("Connection", "close")
		return false
	}
	f.reading.Wait()
	// A Read of http.MaxBytesReader may change the header. So set the header only after the last
	// Read has ended.
	f.w.Header().Set("Connection", "close")
	_ = conn.SetReadDeadline(time.Time{})
	return true
}

package uploads

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// A chunk is what one Read of a body returned.
type chunk struct {
	data []byte
	err  error // io.EOF after the last one
}

// A feed reads a body, so that the receiver can act while the client sends nothing.
type feed struct {
	pieces  chan chunk
	free    chan []byte
	stop    chan struct{}
	reading panics.Group
	w       http.ResponseWriter
	release func()
	over    bool // the last chunk was received
}

// newFeed returns a feed of the body, of which left bytes are allowed, or any number if left is -1.
// Its memory is within Config.MemoryLimit.
func (t *tus) newFeed(c *call, left int64) (*feed, error) {
	release, err := c.share(0)
	if err != nil {
		return nil, err
	}
	f := &feed{
		pieces: make(chan chunk), free: make(chan []byte, 2),
		stop: make(chan struct{}), w: c.w, release: release,
	}
	f.free <- make([]byte, intake.PieceBytes)
	f.free <- make([]byte, intake.PieceBytes)
	f.reading.Go(func() { f.read(c.Body, left) }, func() { f.pass(chunk{err: panics.ErrPanicked}) })
	return f, nil
}

// share takes the memory of a request that sends bytes, as [intake.Memory] does.
func (c *call) share(held int64) (release func(), err error) {
	release, err = c.memory.Share(c.Request, c.user.ID, held)
	if err != nil {
		return nil, busy(err)
	}
	return release, nil
}

// read reads the body into chunks. Of left bytes that are allowed, it reads at most one byte more
// at once: a chunked body fills the buffer before it returns, however slowly the bytes come.
func (f *feed) read(body io.Reader, left int64) {
	for {
		var buf []byte
		select {
		case buf = <-f.free:
		case <-f.stop:
			return
		}
		if left >= 0 {
			buf = buf[:min(int64(len(buf)), left+1)]
		}
		n, err := body.Read(buf)
		if left -= int64(n); left < 0 { // too many bytes, which are refused
			left = -1
		}
		if !f.pass(chunk{buf[:n], err}) || err != nil {
			return
		}
	}
}

// pass returns false if nobody takes the chunk.
func (f *feed) pass(p chunk) bool {
	select {
	case f.pieces <- p:
		return true
	case <-f.stop:
		return false
	}
}

// recycle takes back the buffer of a chunk that was used.
func (f *feed) recycle(p chunk) {
	f.over = f.over || p.err != nil
	f.free <- p.data[:cap(p.data)]
}

// close ends the feed before the response is written, and reports whether nothing reads the body any
// more. If the body is not over, a deadline ends the Read in progress, and is then removed; the
// response closes the connection. If a middleware hides the connection, the Read ends with the
// request.
func (f *feed) close() bool {
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
	f.w.Header().Set("Connection", "close") // not earlier: a Read of http.MaxBytesReader may change the header
	_ = conn.SetReadDeadline(time.Time{})
	return true
}

package uploads

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/fairshare"
)

const (
	pieceBytes = 16 << 10
	// feedBytes is the memory of a feed: one chunk is read while another is used.
	feedBytes = 2 * pieceBytes
	// feedsShare is the part of Config.MemoryLimit that all feeds may take. They have memory of
	// their own, because requests that each have a feed would otherwise wait for one another.
	feedsShare = 4
	// bodiesShare is how often Config.MemoryLimit is there for bytes that the bucket holds: the first fileHeld
	// of a file, and all of a part, which is at most one in partsHeld of that memory. By default, that is
	// storage.BufferLimit.
	bodiesShare = 8
	partsHeld   = 4
	fileHeld    = 8 << 20
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
	ended   chan struct{}
	w       http.ResponseWriter
	release func()
	over    bool // the last chunk was received
}

var errNoFeed = &storage.Error{Code: storage.Unavailable, Err: errors.New("Config.MemoryLimit is used up by requests that send bytes")}

// newFeed returns a feed of the body, of which left bytes are allowed, or any number if left is -1.
// Its memory is within Config.MemoryLimit.
func (h *tus) newFeed(c *call, left int64) (*feed, error) {
	release, err := c.share(0)
	if err != nil {
		return nil, err
	}
	f := &feed{
		pieces: make(chan chunk), free: make(chan []byte, 2),
		stop: make(chan struct{}), ended: make(chan struct{}), w: c.w, release: release,
	}
	f.free <- make([]byte, pieceBytes)
	f.free <- make([]byte, pieceBytes)
	go f.read(c.Body, left)
	return f, nil
}

// share takes the memory of a request that sends bytes, of which the bucket may hold as many as held until
// more have come. A user leaves some for others.
func (c *call) share(held int64) (release func(), err error) {
	if c.ContentLength >= 0 {
		held = min(held, c.ContentLength)
	}
	giveBody, err := c.take(c.memory.bodies, held)
	if err != nil {
		return nil, err
	}
	giveFeed, err := c.take(c.memory.feeds, feedBytes)
	if err != nil {
		giveBody()
		return nil, err
	}
	return func() { giveFeed(); giveBody() }, nil
}

// take takes bytes of a pool for the request.
func (c *call) take(pool *fairshare.Pool, bytes int64) (release func(), err error) {
	owner := c.owner()
	if bytes > 0 && !pool.Acquire(c.Context(), owner, bytes) {
		e := busy()
		e.Err = errNoFeed
		return nil, e
	}
	return func() { pool.Release(owner, bytes) }, nil
}

// owner returns who takes memory for the request: the user, or a client if Authorize names none.
func (c *call) owner() string {
	if c.user.ID != "" {
		return "user " + c.user.ID
	}
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		host = c.RemoteAddr
	}
	return "client " + host
}

// read reads at most one byte more than is allowed at once: a chunked body fills the buffer before
// it returns, however slowly the bytes come.
func (f *feed) read(body io.Reader, left int64) {
	defer close(f.ended)
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
		select {
		case f.pieces <- chunk{buf[:n], err}:
		case <-f.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// recycle returns the buffer of a chunk that was used.
func (f *feed) recycle(p chunk) {
	f.over = f.over || p.err != nil
	f.free <- p.data[:cap(p.data)]
}

// close ends the feed before the response is written, and reports whether nothing reads the body any
// more. If the body is not over, a deadline ends the Read in progress, and is taken back; the response
// closes the connection. If a middleware hides the connection, the Read ends with the request.
func (f *feed) close() bool {
	defer f.release()
	close(f.stop)
	if f.over {
		<-f.ended
		return true
	}
	conn := http.NewResponseController(f.w)
	if errors.Is(conn.SetReadDeadline(time.Now()), http.ErrNotSupported) {
		f.w.Header().Set("Connection", "close")
		return false
	}
	<-f.ended
	f.w.Header().Set("Connection", "close") // not earlier: a Read of http.MaxBytesReader may change the header
	_ = conn.SetReadDeadline(time.Time{})
	return true
}

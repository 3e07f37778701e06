package uploads

import (
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// idleFor is how long a client may send less than idleMinimum bytes of a body.
	idleFor     = time.Minute
	idleMinimum = 16 << 10
)

// idleBody returns the body, which fails if the client sends less than 16 KiB in a minute.
// If a middleware hides the connection, a client that sends nothing is ended only by the
// server's ReadTimeout.
func (c *call) idleBody() io.ReadCloser {
	return &idleReader{ReadCloser: c.Body, conn: http.NewResponseController(c.w)}
}

type idleReader struct {
	io.ReadCloser
	conn   *http.ResponseController
	waited time.Duration // for the last bytes
	bytes  int           // that came meanwhile
}

func (r *idleReader) Read(p []byte) (int, error) {
	if r.bytes >= idleMinimum {
		r.waited, r.bytes = 0, 0
	}
	if r.waited >= idleFor {
		return 0, os.ErrDeadlineExceeded
	}
	began := time.Now()
	_ = r.conn.SetReadDeadline(began.Add(idleFor - r.waited))
	n, err := r.ReadCloser.Read(p)
	r.waited, r.bytes = r.waited+time.Since(began), r.bytes+n
	if err != nil { // the rest of the call may take longer
		_ = r.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

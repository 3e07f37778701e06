// Package drain reads what a client still sends after its request was refused: a
// client that is sending when the connection is closed sees a reset, and not the
// response.
package drain

import (
	"io"
	"net/http"
	"os"
	"time"
)

// limit is for how long a refused body is read: whoever is refused may send a byte
// a minute.
const limit = 30 * time.Second

// Body reads the rest of a refused body, up to most bytes and for 30 seconds. If
// there is more, the response closes the connection. A middleware that hides the
// connection from http.ResponseController hides its deadline, too: a client that then
// sends nothing at all is ended by the server's own ReadTimeout.
func Body(w http.ResponseWriter, rest io.Reader, most int64) {
	until := time.Now().Add(limit)
	_ = http.NewResponseController(w).SetReadDeadline(until)
	if _, err := io.CopyN(io.Discard, &timed{rest, until}, most); err != io.EOF {
		w.Header().Set("Connection", "close")
	}
}

type timed struct {
	from  io.Reader
	until time.Time
}

func (t *timed) Read(p []byte) (int, error) {
	if !time.Now().Before(t.until) {
		return 0, os.ErrDeadlineExceeded
	}
	return t.from.Read(p)
}

// Package drain reads the rest of a request that was refused. If the connection is
// closed while the client is still sending, the client sees a reset and not the
// response.
package drain

import (
	"io"
	"net/http"
	"os"
	"time"
)

// limit is how long a refused body is read. A client may send a byte a minute.
const limit = 30 * time.Second

// Body reads the rest of a refused body, up to max bytes and for 30 seconds. If there is
// more, the response closes the connection. A middleware may hide the connection, and so
// its deadline, from [http.ResponseController]. Then only the server's ReadTimeout ends
// a client that sends nothing.
func Body(w http.ResponseWriter, rest io.Reader, max int64) {
	until := time.Now().Add(limit)
	_ = http.NewResponseController(w).SetReadDeadline(until)
	if _, err := io.CopyN(io.Discard, &timedReader{rest, until}, max); err != io.EOF {
		w.Header().Set("Connection", "close")
	}
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

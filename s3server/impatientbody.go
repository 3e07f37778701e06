package s3server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// An impatientBody is the body of a request. It fails with RequestTimeout if the client sends
// nothing for some time.
type impatientBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	until   time.Time // of all reads; zero means no limit
	read    bool      // whether a read was tried
	err     error
}

// Read has a deadline only while it waits: else net/http, which looks for the end of the
// connection, would take the deadline for it.
func (b *impatientBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.read = true
	deadline := time.Now().Add(b.idle)
	if !b.until.IsZero() && b.until.Before(deadline) {
		deadline = b.until
	}
	supported := b.control.SetReadDeadline(deadline) == nil
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// The deadline stays, so that net/http does not wait for the rest of the body.
		b.err = s3error.New("RequestTimeout").WithHeader("Connection", "close")
		return n, b.err
	}
	if supported {
		_ = b.control.SetReadDeadline(time.Time{}) // as before
	}
	return n, err
}

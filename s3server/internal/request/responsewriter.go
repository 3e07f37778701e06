package s3server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// A responseWriter sends a response and applies the effects of the request's fault to it.
type responseWriter struct {
	http.ResponseWriter
	request *request
	status  int
	sent    int64 // bytes of the body that were sent
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the status and the headers, unless the fault drops the response.
func (w *responseWriter) WriteHeader(status int) {
	fault := w.request.fault
	if tag := fault.ETag; tag != "" && w.Header().Get("Etag") != "" {
		w.Header().Set("Etag", tag)
	}
	for _, name := range fault.Hide {
		w.Header().Del(name)
		// Some headers of metadata have lower-case names, which Del does not find.
		delete(w.Header(), strings.ToLower(name))
	}
	if w.request.in.Header.Get("Expect") != "" && !w.request.body.read {
		// The client waits for this response before it sends the body. Without this header,
		// net/http would wait for the body before it sends the response.
		w.Header().Set("Connection", "close")
	}
	if !fault.DropResponse {
		w.status = status
		w.ResponseWriter.WriteHeader(status)
	}
}

// maxBlock is the number of bytes that are sent at a time. A client must read them within
// Limits.IdleTimeout.
const maxBlock = 256 << 10

// Write sends bytes of the response body, and applies the fault to them.
func (w *responseWriter) Write(p []byte) (int, error) {
	fault := w.request.fault
	done := 0
	if fault.DropResponse {
		return len(p), nil
	}
	for done < len(p) {
		block := p[done:min(len(p), done+maxBlock)]
		if fault.Bandwidth > 0 {
			block = block[:min(len(block), slowBlock(fault.Bandwidth))]
			w.request.wait(transferTime(len(block), fault.Bandwidth))
		}
		n, err := w.writeBlock(fault, block)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (w *responseWriter) writeBlock(fault *Fault, block []byte) (int, error) {
	if remaining, isEnd := w.left(fault.CutAfter, block); isEnd {
		w.flush(block[:remaining])
		cutConnection()
	}
	if remaining, isEnd := w.left(fault.StallAfter, block); isEnd {
		w.flush(block[:remaining])
		w.request.wait(0)
		cutConnection()
	}
	if offset := fault.FlipAt; offset != nil && *offset >= w.sent && *offset < w.sent+int64(len(block)) {
		block = append([]byte(nil), block...)
		block[*offset-w.sent] ^= 0xFF
	}
	w.expectReader()
	n, err := w.ResponseWriter.Write(block)
	w.sent += int64(n)
	return n, err
}

// left reports whether sending the block would exceed a limit of the body's bytes. If so, it also
// returns the number of bytes that may still be sent.
func (w *responseWriter) left(limit *int64, block []byte) (int64, bool) {
	if limit == nil || w.sent+int64(len(block)) <= *limit {
		return 0, false
	}
	return max(0, *limit-w.sent), true
}

// flush sends the last bytes before a fault ends the response.
func (w *responseWriter) flush(p []byte) {
	w.expectReader()
	_, _ = w.ResponseWriter.Write(p)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// finish ends a response. If the fault drops the response, it closes the connection.
func (w *responseWriter) finish() {
	if w.request.fault.DropResponse {
		cutConnection()
	}
	w.expectReader() // net/http sends the last bytes after finish returns, so set a deadline
}

// expectReader sets a deadline for sending the next bytes, so that a client that reads nothing is
// disconnected. It ignores an error, because an httptest.ResponseRecorder has no deadline.
func (w *responseWriter) expectReader() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.request.server.limits.IdleTimeout))
}

// cutConnection closes the connection, by the panic that net/http provides for this purpose.
func cutConnection() { panic(http.ErrAbortHandler) }

// A slowBody is the body of a request that can be read only as fast as Fault.Bandwidth permits.
type slowBody struct {
	io.ReadCloser
	request   *request
	bandwidth int64
}

// Read reads a few bytes, and then waits for the time that they take at the bandwidth.
func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), slowBlock(b.bandwidth))])
	if n > 0 {
		b.request.wait(transferTime(n, b.bandwidth))
	}
	return n, err
}

// slowBlock returns the number of bytes to transfer at a time. These are the bytes for a twentieth
// of a second, but at most 32 KiB.
func slowBlock(bandwidth int64) int { return int(min(max(bandwidth/20, 1), 32<<10)) }

func transferTime(n int, bandwidth int64) time.Duration {
	return time.Duration(float64(n) / float64(bandwidth) * float64(time.Second))
}

// wait waits for the duration d. It returns earlier if the client disconnects or the server ends.
// If d is 0, it waits until the client disconnects or the server ends.
func (r *request) wait(d time.Duration) {
	ctx := r.in.Context()
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	select {
	case <-ctx.Done():
	case <-r.server.ended:
	}
}

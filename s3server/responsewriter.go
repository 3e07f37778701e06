package s3server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// A responseWriter sends a response and applies the request's fault.
type responseWriter struct {
	http.ResponseWriter
	request *request
	status  int
	sent    int64 // bytes of the body that were sent
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the status, unless the response is dropped.
func (w *responseWriter) WriteHeader(status int) {
	fault := w.request.fault
	if tag := fault.ETag; tag != "" && w.Header().Get("Etag") != "" {
		w.Header().Set("Etag", tag)
	}
	for _, name := range fault.Hide {
		w.Header().Del(name)
		delete(w.Header(), strings.ToLower(name)) // for metadata
	}
	if w.request.in.Header.Get("Expect") != "" && !w.request.body.read {
		// The client waits for this response before it sends the body, and net/http would
		// wait for the body before it sends the response.
		w.Header().Set("Connection", "close")
	}
	if !fault.DropResponse {
		w.status = status
		w.ResponseWriter.WriteHeader(status)
	}
}

// maxBlock is the number of bytes that a client must read within Limits.IdleTimeout.
const maxBlock = 256 << 10

// Write sends bytes of the body.
func (w *responseWriter) Write(p []byte) (int, error) {
	fault, done := w.request.fault, 0
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
	if left, ends := w.left(fault.CutAfter, block); ends {
		w.flush(block[:left])
		cutConnection()
	}
	if left, ends := w.left(fault.StallAfter, block); ends {
		w.flush(block[:left])
		w.request.wait(0)
		cutConnection()
	}
	if at := fault.FlipAt; at != nil && *at >= w.sent && *at < w.sent+int64(len(block)) {
		block = append([]byte(nil), block...)
		block[*at-w.sent] ^= 0xFF
	}
	w.expectReader()
	n, err := w.ResponseWriter.Write(block)
	w.sent += int64(n)
	return n, err
}

// left returns how much of the block is before the limit, and whether the limit is in
// the block.
func (w *responseWriter) left(limit *int64, block []byte) (int64, bool) {
	if limit == nil || w.sent+int64(len(block)) <= *limit {
		return 0, false
	}
	return max(0, *limit-w.sent), true
}

// flush sends the last bytes that the client gets before a fault.
func (w *responseWriter) flush(p []byte) {
	w.expectReader()
	_, _ = w.ResponseWriter.Write(p)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// finish ends a response. It drops the response by closing the connection, if the fault
// says so.
func (w *responseWriter) finish() {
	if w.request.fault.DropResponse {
		cutConnection()
	}
	w.expectReader() // net/http sends the last bytes
}

// expectReader makes the write of the next bytes fail if the client does not read them in time.
// A writer without deadlines, such as that of a test, needs none.
func (w *responseWriter) expectReader() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.request.server.limits.IdleTimeout))
}

// cutConnection aborts the request with the panic that net/http provides for this.
func cutConnection() { panic(http.ErrAbortHandler) }

// A slowBody is the body of a request that arrives at a bandwidth.
type slowBody struct {
	io.ReadCloser
	request   *request
	bandwidth int64
}

// Read reads a few bytes and waits as long as they would have needed.
func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), slowBlock(b.bandwidth))])
	if n > 0 {
		b.request.wait(transferTime(n, b.bandwidth))
	}
	return n, err
}

// slowBlock returns the number of bytes that pass at a time: as many as in a twentieth of a
// second.
func slowBlock(bandwidth int64) int { return int(min(max(bandwidth/20, 1), 32<<10)) }

func transferTime(n int, bandwidth int64) time.Duration {
	return time.Duration(float64(n) / float64(bandwidth) * float64(time.Second))
}

// wait returns after d, or if the client or the server goes away. If d is 0, it waits only for
// that.
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

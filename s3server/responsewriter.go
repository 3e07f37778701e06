package s3server

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// A responseWriter sends a response and applies the request's fault.
type responseWriter struct {
	http.ResponseWriter
	request *request
	status  int
	sent    int64 // of the body, in bytes
}

func (w *responseWriter) fault() *Fault {
	if w.request.fault == nil {
		return &Fault{}
	}
	return w.request.fault
}

// WriteHeader sends the status, unless the response is dropped.
func (w *responseWriter) WriteHeader(status int) {
	for _, name := range w.fault().Hide {
		w.Header().Del(name)
		delete(w.Header(), strings.ToLower(name)) // metadata
	}
	if !w.fault().DropResponse {
		w.status = status
		w.ResponseWriter.WriteHeader(status)
	}
}

const pausedBlock = 32 << 10

// Write sends bytes of the body.
func (w *responseWriter) Write(p []byte) (int, error) {
	fault, done := w.fault(), 0
	if fault.DropResponse {
		return len(p), nil
	}
	for done < len(p) {
		block := p[done:]
		if fault.Pause > 0 {
			block = block[:min(len(block), pausedBlock)]
			w.wait(fault.Pause)
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
	if left, ends := w.left(fault.HangAfter, block); ends {
		w.flush(block[:left])
		w.wait(0)
		cutConnection()
	}
	if at := fault.FlipAt; at != nil && *at >= w.sent && *at < w.sent+int64(len(block)) {
		block = append([]byte(nil), block...)
		block[*at-w.sent] ^= 0xFF
	}
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

// flush sends the last bytes that the client gets.
func (w *responseWriter) flush(p []byte) {
	_, _ = w.ResponseWriter.Write(p)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// finish ends a response. It drops the response by closing the connection, if the fault
// says so.
func (w *responseWriter) finish() {
	if w.fault().DropResponse {
		cutConnection()
	}
}

// wait returns after d, or if the client or the server goes away. With 0, it waits only
// for that.
func (w *responseWriter) wait(d time.Duration) {
	ctx := w.request.Context()
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	select {
	case <-ctx.Done():
	case <-w.request.server.faults.gone:
	}
}

// cutConnection aborts the request with the panic that net/http provides for this.
func cutConnection() { panic(http.ErrAbortHandler) }

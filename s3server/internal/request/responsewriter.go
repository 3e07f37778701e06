package request

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/faults"
)

// A ResponseWriter sends a response and applies the effects of the request's fault to it.
type ResponseWriter struct {
	http.ResponseWriter
	request   *Request
	Status    int
	BytesSent int64 // bytes of the body that were sent
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *ResponseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the status and the headers as the fault changes them, unless it drops the response.
func (w *ResponseWriter) WriteHeader(status int) {
	fault := w.request.Fault
	if tag := fault.ETag; tag != "" && w.Header().Get("Etag") != "" {
		w.Header().Set("Etag", tag)
	}

	for _, name := range fault.Hide {
		w.Header().Del(name)
		// Some headers of metadata have lower-case names, which Del does not find.
		delete(w.Header(), strings.ToLower(name))
	}

	clientWaits := w.request.HTTP.Header.Get("Expect") != "" && !w.request.body.read
	if clientWaits {
		// The client waits for this response before it sends the body. Without this header,
		// net/http would wait for the body before it sends the response.
		w.Header().Set("Connection", "close")
	}

	if !fault.DropResponse {
		w.Status = status
		w.ResponseWriter.WriteHeader(status)
	}
}

// maxBlock is the number of bytes that are sent at a time. A client must read them within
// Limits.IdleTimeout.
const maxBlock = 256 << 10

// Write sends bytes of the response body, as the fault slows down, cuts off or changes them.
func (w *ResponseWriter) Write(p []byte) (int, error) {
	fault := w.request.Fault
	if fault.DropResponse {
		return len(p), nil
	}

	done := 0
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

// writeBlock sends one block of the body. If the fault cuts off or stalls the response within the block,
// it sends the bytes before that point and does not return: cutConnection ends the request by a panic.
func (w *ResponseWriter) writeBlock(fault *faults.Effects, block []byte) (int, error) {
	if remaining, exceeded := w.bytesLeft(fault.CutAfter, block); exceeded {
		w.flush(block[:remaining])
		cutConnection()
	}
	if remaining, exceeded := w.bytesLeft(fault.StallAfter, block); exceeded {
		w.flush(block[:remaining])
		// A duration of 0 means until the client disconnects.
		w.request.wait(0)
		cutConnection()
	}
	if fault.FlipAt != nil {
		block = flipByte(block, *fault.FlipAt-w.BytesSent)
	}

	// A client that reads nothing is disconnected.
	w.expectReader()
	n, err := w.ResponseWriter.Write(block)
	w.BytesSent += int64(n)
	return n, err
}

// flipByte returns a copy of block with another byte at offset, or block itself if it has no such byte.
func flipByte(block []byte, offset int64) []byte {
	if offset < 0 || offset >= int64(len(block)) {
		return block
	}
	flipped := slices.Clone(block)
	flipped[offset] ^= 0xFF
	return flipped
}

// bytesLeft reports whether the block exceeds a limit of the body's bytes, and if so how many bytes of it
// may still be sent. A nil limit is never exceeded.
func (w *ResponseWriter) bytesLeft(limit *int64, block []byte) (remaining int64, exceeded bool) {
	if limit == nil || w.BytesSent+int64(len(block)) <= *limit {
		return 0, false
	}
	return max(0, *limit-w.BytesSent), true
}

// flush sends the last bytes before a fault ends the response.
func (w *ResponseWriter) flush(p []byte) {
	w.expectReader()
	_, _ = w.ResponseWriter.Write(p)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Finish ends a response, or cuts the connection if the fault drops the response.
func (w *ResponseWriter) Finish() {
	if w.request.Fault.DropResponse {
		cutConnection()
	}
	// net/http sends the last bytes after Finish has returned, so set a deadline.
	w.expectReader()
}

// expectReader sets a deadline for sending the next bytes, so that a client that reads nothing is
// disconnected. It ignores an error, because an httptest.ResponseRecorder has no deadline.
func (w *ResponseWriter) expectReader() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.request.Server.Limits.IdleTimeout))
}

// cutConnection closes the connection, by the panic that net/http provides for this purpose.
func cutConnection() { panic(http.ErrAbortHandler) }

// A slowBody is the body of a request that can be read only as fast as Fault.Bandwidth permits.
type slowBody struct {
	io.ReadCloser
	request   *Request
	bandwidth int64
}

// Read reads a few bytes, and then waits as long as they take at the bandwidth.
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

// wait waits for the duration d, or without a limit if d is 0, but no longer than until the client
// disconnects or the server ends.
func (r *Request) wait(d time.Duration) {
	ctx := r.HTTP.Context()
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	select {
	case <-ctx.Done():
	case <-r.Server.Done:
	}
}

package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/omnibucket/storage/internal/serving"
)

const (
	// ErrorBody is the largest number of bytes that are read from the body of an unsuccessful
	// response. Providers send a few hundred. Reading them may take [Options.Stall] in total.
	ErrorBody = 64 << 10
	// Document is the largest size in bytes of the body of a successful response, unless the body
	// is the content of an object. A page of a listing with 1,000 keys of the greatest length has
	// about 8 MiB.
	Document = 16 << 20
)

// ErrTooLong is wrapped by the error for a response whose body is larger than [Document].
var ErrTooLong = errors.New("the response is longer than a true one can be")

// limitBody limits the size of the response's body, so that a driver may safely read it to its end.
// The content of an object has no limit, because the user reads it. If the response has no body, or
// is unsuccessful, limitBody also ends the exchange.
func (x *exchange) limitBody(r *http.Request, resp *http.Response, call *serving.Call) (*http.Response, error) {
	isSuccess := resp.StatusCode >= 200 && resp.StatusCode < 300
	if hasNoBody(r, resp) {
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
		resp.Body = http.NoBody
		if !isSuccess {
			maskHeader(resp, secretsOf(r))
		}
		x.end()
		return resp, nil
	}

	if !isSuccess {
		// The beginning of the body is read now, and the rest is not needed.
		x.readError(r, resp)
		return resp, nil
	}

	// The timer runs during each Read of the body, unless the body is the content of an object. The engine
	// limits the time of those Reads itself.
	isContent := call != nil && r.Method == http.MethodGet && serving.IsContent(x.parent)
	x.reply.inner = resp.Body
	x.reply.exchange = x
	x.reply.unwatched = isContent
	resp.Body = &x.reply

	// In a call of the engine, any other body is a document, which a driver reads to its end.
	isDocument := call != nil && !isContent
	if isDocument {
		return x.limitDocument(r, resp)
	}
	if err := checkRange(resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// limitDocument limits the body of a successful response to Document bytes, and masks the
// request's credentials in it. The body is x.reply.
func (x *exchange) limitDocument(r *http.Request, resp *http.Response) (*http.Response, error) {
	x.reply.left = Document
	x.reply.bounded = true
	if resp.ContentLength > x.reply.left {
		_ = x.reply.Close()
		return nil, &Error{Sent: true, Err: lengthError(x.reply.left)}
	}

	// Even a response with status 200 may have an error that repeats the request's credentials.
	if secrets := credentialsOf(r); len(secrets) > 0 {
		resp.Body = maskBody(resp.Body, resp.ContentLength, secrets)
	}
	return resp, nil
}

// hasNoBody reports whether a response has no body. Its Content-Length does not tell: the response
// to a HEAD request has the length of the object. The type of its Body does not tell either,
// because a user's transport may have wrapped http.NoBody.
func hasNoBody(r *http.Request, response *http.Response) bool {
	return r.Method == http.MethodHead || response.Body == nil || response.Body == http.NoBody ||
		response.StatusCode == http.StatusNoContent || response.StatusCode == http.StatusNotModified
}

func lengthError(bound int64) error {
	return fmt.Errorf("%w: more than %d KiB", ErrTooLong, bound>>10)
}

// readError reads up to ErrorBody bytes of the body of an unsuccessful response, and masks the
// request's secrets in them and in the header. All Reads together may take [Options.Stall].
func (x *exchange) readError(r *http.Request, resp *http.Response) {
	secrets := secretsOf(r)
	maskHeader(resp, secrets)

	// There is one time limit for all Reads together.
	x.startTimer(x.stall)
	content, readErr := io.ReadAll(io.LimitReader(resp.Body, ErrorBody))
	x.stopTimer()
	mustFail := readErr != nil && !x.statusSuffices(content)
	_ = resp.Body.Close()

	// The new body has the content, and then ends or fails as the server's body did.
	endErr := io.EOF
	if mustFail {
		endErr = x.fail(readErr)
	}
	x.end()

	mask(content, secrets)
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content), failingReader{endErr}))
	if resp.ContentLength >= 0 {
		resp.ContentLength = int64(len(content))
	}
}

// statusSuffices reports whether the status of an unsuccessful response is enough, although its
// body, which begins with content, could not be read to its end.
func (x *exchange) statusSuffices(content []byte) bool {
	if x.parent.Err() != nil {
		return false
	}
	return len(content) > 0 || errors.Is(context.Cause(x.ctx), ErrStalled)
}

// A failingReader has no content: each Read returns err.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// checkRange returns an error if the response is a range of an object, and its body has another
// length than the range.
func checkRange(resp *http.Response) error {
	if resp.StatusCode != http.StatusPartialContent || resp.ContentLength < 0 {
		return nil
	}

	// Without both numbers, the range cannot be checked.
	var first, last int64
	contentRange := resp.Header.Get("Content-Range")
	numbers, _ := fmt.Sscanf(contentRange, "bytes %d-%d/", &first, &last)
	if numbers < 2 || last-first+1 == resp.ContentLength {
		return nil
	}

	_ = resp.Body.Close()
	return &Error{
		Sent: true,
		Err:  fmt.Errorf("the response has %d bytes and the range %q", resp.ContentLength, contentRange),
	}
}

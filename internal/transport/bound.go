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

// limitBody limits the size of the response's body, so that a driver may safely read it to its end. The
// content of an object has no limit, because the user reads it.
func (x *exchange) limitBody(r *http.Request, response *http.Response, call *serving.Call) (*http.Response, error) {
	success := response.StatusCode >= 200 && response.StatusCode < 300
	if hasNoBody(r, response) {
		if response.Body != nil {
			_ = response.Body.Close()
		}
		response.Body = http.NoBody
		if !success {
			maskHeader(response, secretsOf(r))
		}
		x.end()
		return response, nil
	}

	if !success {
		x.readError(r, response)
		return response, nil
	}

	// The watchdog observes the body, unless it is the content of an object.
	x.reply.inner = response.Body
	x.reply.exchange = x
	response.Body = &x.reply
	// For the content of an object, the engine itself limits the time of each Read.
	x.reply.unwatched = call != nil && r.Method == http.MethodGet && serving.IsContent(x.parent)
	if call == nil || x.reply.unwatched {
		if err := checkRange(response); err != nil {
			return nil, err
		}
		return response, nil
	}

	// The body is a document, which a driver reads to its end.
	x.reply.left = Document
	x.reply.bounded = true
	if response.ContentLength > x.reply.left {
		_ = x.reply.Close()
		return nil, &Error{Sent: true, Err: tooLong(x.reply.left)}
	}

	// Mask the credentials of the request in the body. Even a response with status 200 may contain
	// an error that repeats the credentials.
	if secrets := credentialsOf(r); len(secrets) > 0 {
		response.Body = maskBody(response.Body, response.ContentLength, secrets)
	}
	return response, nil
}

// hasNoBody reports whether a response has no body. Its Content-Length does not tell: the response
// to a HEAD request has the length of the object. The type of its Body does not tell either,
// because a user's transport may have wrapped http.NoBody.
func hasNoBody(r *http.Request, response *http.Response) bool {
	return r.Method == http.MethodHead || response.Body == nil || response.Body == http.NoBody ||
		response.StatusCode == http.StatusNoContent || response.StatusCode == http.StatusNotModified
}

func tooLong(bound int64) error {
	return fmt.Errorf("%w: more than %d KiB", ErrTooLong, bound>>10)
}

// readError reads up to ErrorBody bytes of the body of an unsuccessful response. It masks the
// secrets of the request in these bytes and in the header. All Reads together may take
// [Options.Stall].
func (x *exchange) readError(r *http.Request, response *http.Response) {
	secrets := secretsOf(r)
	maskHeader(response, secrets)
	// There is one time limit for all Reads together.
	x.startTimer(x.stall)
	content, err := io.ReadAll(io.LimitReader(response.Body, ErrorBody))
	x.stopTimer()
	isFailure := err != nil && !x.statusSuffices(content)
	_ = response.Body.Close()

	end := failingReader{io.EOF}
	if isFailure {
		end.err = x.fail(err)
	}
	x.end()
	mask(content, secrets)
	response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content), end))
	if response.ContentLength >= 0 {
		response.ContentLength = int64(len(content))
	}
}

// statusSuffices reports whether the status of an unsuccessful response is enough, although its body
// could not be read to its end. content is the beginning of the body.
func (x *exchange) statusSuffices(content []byte) bool {
	if x.parent.Err() != nil {
		return false
	}
	return len(content) > 0 || errors.Is(context.Cause(x.ctx), ErrStalled)
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// checkRange returns an error if the response is a range of an object, and the length of its body
// is not the length of the range.
func checkRange(response *http.Response) error {
	if response.StatusCode != http.StatusPartialContent || response.ContentLength < 0 {
		return nil
	}
	var first, last int64
	contentRange := response.Header.Get("Content-Range")
	// Without both numbers, the range cannot be checked.
	count, _ := fmt.Sscanf(contentRange, "bytes %d-%d/", &first, &last)
	if count < 2 || last-first+1 == response.ContentLength {
		return nil
	}
	_ = response.Body.Close()
	return &Error{
		Sent: true,
		Err:  fmt.Errorf("the response has %d bytes and the range %q", response.ContentLength, contentRange),
	}
}

package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// smallBody is the greatest size in bytes of a body that is read before its request is made.
// net/http writes what it knows to be in memory together with the head: in one system call, and
// one record of TLS.
const smallBody = 12 << 10

func isSmall(r *http.Request) bool {
	return r.Body != nil && r.ContentLength > 0 && r.ContentLength <= smallBody
}

// readSmall reads a request's body to its end, and closes it. It returns nil if the body is not small.
func readSmall(ctx context.Context, r *http.Request) (content []byte, err error) {
	if !isSmall(r) {
		return nil, nil
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // rather than what its end made fail
		}
	}()
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = r.Body.Close() }) // which ends a Read that waits
		defer stop()
	}
	defer func() { _ = r.Body.Close() }()
	content = make([]byte, 0, r.ContentLength+1) // it could be longer
	for len(content) < cap(content) {
		n, err := r.Body.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if int64(len(content)) != r.ContentLength {
		return nil, fmt.Errorf("the body is not of %d bytes, as was said", r.ContentLength)
	}
	return content, nil
}

func replace(out *http.Request, content []byte) {
	out.Body = io.NopCloser(bytes.NewReader(content))
	if out.GetBody != nil {
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	}
}

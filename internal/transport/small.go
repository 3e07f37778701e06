package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// smallBody is the largest size in bytes of a body that is read into memory before the request is
// made. net/http can then send the head and the body with one system call and one TLS record.
const smallBody = 12 << 10

func isSmall(r *http.Request) bool {
	return r.Body != nil && r.ContentLength > 0 && r.ContentLength <= smallBody
}

// readSmall reads and closes the body of a request, if it has a known length of at most smallBody.
// Otherwise it returns nil.
func readSmall(ctx context.Context, r *http.Request) ([]byte, error) {
	if !isSmall(r) {
		return nil, nil
	}

	// Closing the body ends a Read that waits for data.
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = r.Body.Close() })
		defer stop()
	}
	defer r.Body.Close()

	content, err := readDeclared(r)
	if err != nil && ctx.Err() != nil {
		// The error of the body only says that it was closed when ctx ended.
		return nil, context.Cause(ctx)
	}
	return content, err
}

// readDeclared reads the body of a request, and fails if it has another length than declared.
func readDeclared(r *http.Request) ([]byte, error) {
	// Make space for one byte more, to notice a body that is longer than declared.
	content := make([]byte, 0, r.ContentLength+1)
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

// replaceBody gives a request a body with this content.
func replaceBody(req *http.Request, content []byte) {
	req.Body = io.NopCloser(bytes.NewReader(content))
	if req.GetBody != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content)), nil
		}
	}
}

package webserver

import (
	"io"
	"net/http"
)

// A Body is the body of a request. It records whether anything has called Read.
type Body struct {
	io.ReadCloser
	started bool
}

// BodyOf returns a copy of r with a Body that wraps its body, and that Body.
func BodyOf(r *http.Request) (*http.Request, *Body) {
	// WithContext makes a copy, because the caller's request must not change.
	r = r.WithContext(r.Context())
	b := &Body{ReadCloser: r.Body}
	r.Body = b
	return r, b
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	b.started = true
	return b.ReadCloser.Read(p)
}

// Refuse refuses a request: it calls respond, which writes the response, and reads the rest of the
// body as the function [Refuse] does. It only calls respond if there is nothing to read, because
// the client sends no body, waits for "100 Continue", or uses HTTP/2.
func (b *Body) Refuse(w http.ResponseWriter, r *http.Request, max int64, respond func()) {
	isEmpty := b.ReadCloser == nil || b.ReadCloser == http.NoBody
	isWaiting := !b.started && r.Header.Get("Expect") != ""
	if isEmpty || isWaiting || r.ProtoMajor != 1 {
		respond()
		return
	}
	Refuse(r.Context(), w, b.ReadCloser, max, respond)
}

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

// BodyOf returns a copy of r, and the Body that has replaced the body of the copy.
func BodyOf(r *http.Request) (*http.Request, *Body) {
	// Make a copy, so that the caller's request is not changed.
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

// Refuse refuses the request. It calls respond, which writes the response, and reads the rest of
// the body as [Refuse] does. If the client sends no body, or waits for "100 Continue", or uses
// HTTP/2, there is nothing to read, and Refuse only calls respond.
func (b *Body) Refuse(w http.ResponseWriter, r *http.Request, max int64, respond func()) {
	isEmpty := b.ReadCloser == nil || b.ReadCloser == http.NoBody
	isWaiting := !b.started && r.Header.Get("Expect") != ""
	if isEmpty || isWaiting || r.ProtoMajor != 1 {
		respond()
		return
	}
	Refuse(r.Context(), w, b.ReadCloser, max, respond)
}

package drain

import (
	"io"
	"net/http"
)

// A Body is the body of a request that knows whether it was read.
type Body struct {
	io.ReadCloser
	started bool
}

// Of returns a request like r whose body is the returned Body.
func Of(r *http.Request) (*http.Request, *Body) {
	r = r.WithContext(r.Context()) // a copy, so that the caller's request is not changed
	b := &Body{ReadCloser: r.Body}
	r.Body = b
	return r, b
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	b.started = true
	return b.ReadCloser.Read(p)
}

// Refuse calls respond as [Respond] does, unless there is nothing to read: a client that waits for "100
// Continue" has sent nothing yet, and HTTP/2 ends only the stream.
func (b *Body) Refuse(w http.ResponseWriter, r *http.Request, max int64, respond func()) {
	if b.ReadCloser == nil || b.ReadCloser == http.NoBody || r.ProtoMajor != 1 ||
		!b.started && r.Header.Get("Expect") != "" {
		respond()
		return
	}
	Respond(r.Context(), w, b.ReadCloser, max, respond)
}

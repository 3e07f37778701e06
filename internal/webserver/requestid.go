package webserver

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// RequestIDHeader is the name of the header that holds the ID of a request, in the request and in
// its response.
const RequestIDHeader = "X-Request-Id"

// BeginRequest sets the headers that every response has, including the ID of the request. It
// returns a request that also has the ID, which is a copy if r lacks it.
func BeginRequest(w http.ResponseWriter, r *http.Request) *http.Request {
	id := RequestID(r)
	header := w.Header()
	if r.Header.Get(RequestIDHeader) != id {
		r = r.Clone(r.Context())
		r.Header.Set(RequestIDHeader, id)
	}
	header.Set(RequestIDHeader, id)

	// Responses contain signed URLs, tokens and users' content.
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	return r
}

// maxRequestID is the largest length in bytes of an ID that a client has chosen.
const maxRequestID = 128

// RequestID returns the ID that the client has sent, or a random one if that is not safe to appear
// in logs.
func RequestID(r *http.Request) string {
	values := r.Header.Values(RequestIDHeader)
	if len(values) == 1 && len(values[0]) <= maxRequestID && IsToken(values[0]) {
		return values[0]
	}
	return rand.Text()
}

// IsToken reports whether text consists of one or more ASCII letters, digits, "-", "_" and ".".
func IsToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

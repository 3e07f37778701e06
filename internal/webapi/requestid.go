package webapi

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// RequestIDHeader has the ID of a request, and of its response.
const RequestIDHeader = "X-Request-Id"

// Begin sets the headers that every response has, and returns the request with the ID of both. The
// caller's request is not changed.
func Begin(w http.ResponseWriter, r *http.Request) *http.Request {
	id, header := RequestID(r), w.Header()
	if r.Header.Get(RequestIDHeader) != id {
		r = r.Clone(r.Context())
		r.Header.Set(RequestIDHeader, id)
	}
	header.Set(RequestIDHeader, id)
	header.Set("Cache-Control", "no-store") // responses have signed addresses, tokens, and what users have stored
	header.Set("X-Content-Type-Options", "nosniff")
	return r
}

// maxRequestID is in bytes.
const maxRequestID = 128

// RequestID returns the client's own ID if it can appear in any log, otherwise a random one.
func RequestID(r *http.Request) string {
	given := r.Header.Values(RequestIDHeader)
	if len(given) == 1 && len(given[0]) <= maxRequestID && IsToken(given[0]) {
		return given[0]
	}
	return rand.Text()
}

// IsToken reports whether text has only ASCII letters, digits, "-", "_" and ".", and at least one of them.
func IsToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

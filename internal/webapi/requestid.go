package webapi

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// RequestIDHeader has the ID of a request, and of its response.
const RequestIDHeader = "X-Request-Id"

// maxRequestID is in bytes.
const maxRequestID = 128

// RequestID returns the client's own ID if it can appear in any log, otherwise a random one.
func RequestID(r *http.Request) string {
	given := r.Header.Values(RequestIDHeader)
	if len(given) == 1 && given[0] != "" && len(given[0]) <= maxRequestID && !strings.ContainsFunc(given[0], isNoTokenRune) {
		return given[0]
	}
	return rand.Text()
}

func isNoTokenRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

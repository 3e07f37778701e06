package webapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// Temporary reports whether a request that had this status may succeed later.
func Temporary(status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented ||
		status == http.StatusLocked ||
		status == http.StatusTooManyRequests
}

// RetryLater sets the header Retry-After of a response with an error if waiting helps, to at least one
// second.
func RetryLater(h http.Header, status int, err error) {
	if Temporary(status) {
		SetRetryAfter(h, err, time.Second)
	}
}

// SetRetryAfter sets the header Retry-After if the store has asked to wait: to that time in whole
// seconds, but not less than least.
func SetRetryAfter(h http.Header, err error, least time.Duration) {
	wait := least
	if e, ok := errors.AsType[*storage.Error](err); ok {
		wait = max(wait, e.RetryAfter)
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
}

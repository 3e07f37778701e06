package webserver

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// IsTemporary reports whether a request that failed with this status may succeed if the client
// repeats it later.
func IsTemporary(status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented ||
		status == http.StatusLocked ||
		status == http.StatusTooManyRequests
}

// RetryLater sets the header Retry-After if the status is [IsTemporary]. The value is the time that
// the store asked to wait, but at least one second.
func RetryLater(h http.Header, status int, err error) {
	if IsTemporary(status) {
		SetRetryAfter(h, err, time.Second)
	}
}

// SetRetryAfter sets the header Retry-After to the time that the store asked to wait, in whole
// seconds, but at least to the time least. If both are zero, it does not set the header.
func SetRetryAfter(h http.Header, err error, least time.Duration) {
	wait := least
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		wait = max(wait, storageErr.RetryAfter)
	}
	if wait > 0 {
		seconds := (wait + time.Second - 1) / time.Second // rounded up
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
}

package sdkerror

import (
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// statusCodes are the codes of HTTP statuses that mean the same for every
// provider.
var statusCodes = map[int]storage.Code{
	http.StatusNotModified:                  storage.NotModified,
	http.StatusBadRequest:                   storage.InvalidArgument,
	http.StatusUnauthorized:                 storage.Unauthenticated,
	http.StatusForbidden:                    storage.PermissionDenied,
	http.StatusNotFound:                     storage.ObjectNotFound,
	http.StatusMethodNotAllowed:             storage.Unsupported,
	http.StatusRequestTimeout:               storage.Unavailable,
	http.StatusPreconditionFailed:           storage.PreconditionFailed,
	http.StatusRequestEntityTooLarge:        storage.TooLarge,
	http.StatusRequestedRangeNotSatisfiable: storage.RangeNotSatisfiable,
	http.StatusTooManyRequests:              storage.RateLimited,
	http.StatusNotImplemented:               storage.Unsupported,
	statusClientClosed:                      storage.Unavailable,
}

// statusClientClosed is what nginx, MinIO and others say of a request whose client they believe
// to be gone. It may have taken effect.
const statusClientClosed = 499

// CodeFromStatus returns the code for an HTTP status. It returns Internal if the
// meaning depends on the provider, as for redirects and 409.
func CodeFromStatus(status int) storage.Code {
	if code, known := statusCodes[status]; known {
		return code
	}
	if status >= 200 && status < 300 || status >= 500 { // it was cut off, or a gateway's own: 507, 520 to 530, 598
		return storage.Unavailable
	}
	return storage.Internal
}

// IsRetryable reports whether a request that failed with code may succeed later.
func IsRetryable(code storage.Code) bool {
	return code == storage.RateLimited || code == storage.Unavailable
}

// RetryAfter returns how long a response asks the client to wait, in seconds or
// until a date. It returns 0 if the response does not ask.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		if sent, err := http.ParseTime(h.Get("Date")); err == nil && at.After(sent) {
			return at.Sub(sent) // by the server's clock only
		}
	}
	return 0
}

// IsForeign reports whether a response with an error status is a gateway's: it has no error code
// of the provider, and no header of its protocol. The request may have taken effect before the
// gateway gave up or replaced the response, whatever the status is.
func IsForeign(status int, hasCode, hasHeader bool) bool {
	return status >= http.StatusBadRequest && !hasCode && !hasHeader
}

// MaybeApplied reports whether a request may have taken effect although its
// response has the given status. It is [Translator.MaybeApplied] for stores whose
// 501 and 503 are refusals. Other server errors, which a gateway may have made up, promise
// nothing.
func MaybeApplied(status int) bool {
	switch {
	case status == http.StatusNotImplemented, status == http.StatusServiceUnavailable:
		return false
	case status >= 500, status == statusClientClosed:
		return true
	}
	return status >= 200 && status < 300 // it took effect, and the response was cut off
}

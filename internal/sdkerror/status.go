package sdkerror

import (
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// statusCodes has the code for each HTTP status that means the same for all providers.
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

// statusClientClosed is the status that nginx, MinIO and other servers use if the client seems to
// have closed the connection. The request may have taken effect.
const statusClientClosed = 499

// CodeFromStatus returns the code for an HTTP status, or Internal if the meaning depends on the
// provider, as for redirects and for 409.
func CodeFromStatus(status int) storage.Code {
	if code, ok := statusCodes[status]; ok {
		return code
	}
	if status >= 200 && status < 300 || status >= 500 {
		// With status 2xx, the response was truncated.
		return storage.Unavailable
	}
	return storage.Internal
}

// IsRetryable reports whether a request that failed with code may succeed later.
func IsRetryable(code storage.Code) bool {
	return code == storage.RateLimited || code == storage.Unavailable
}

// RetryAfter returns how long a response asks the client to wait, in seconds or until a date, or 0
// if it does not ask.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}

	// Both times come from the server's clock, so the client's clock does not matter.
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(until.Sub(now), 0)
}

// IsForeign reports whether an error response comes from a gateway and not from the store. Such a
// response has neither an error code of the provider nor a header of its protocol. Whatever its
// status is, the request may have taken effect before the gateway gave up or replaced the response.
func IsForeign(status int, hasCode, hasHeader bool) bool {
	return status >= http.StatusBadRequest && !hasCode && !hasHeader
}

// MaybeApplied reports whether a request may have taken effect although its response has this
// status. It can be used as [Translator.MaybeApplied] for stores that send 501 and 503 only for
// requests without effect. Any other status of 5xx may come from a gateway, so that the request may
// have taken effect.
func MaybeApplied(status int) bool {
	if status == http.StatusNotImplemented || status == http.StatusServiceUnavailable {
		return false
	}
	if status >= 500 || status == statusClientClosed {
		return true
	}

	// With status 2xx, the request took effect, and only the response was truncated.
	return status >= 200 && status < 300
}

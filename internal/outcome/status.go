package outcome

import (
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// statuses are for answers whose words say nothing more.
var statuses = map[int]storage.Code{
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
	http.StatusInternalServerError:          storage.Unavailable,
	http.StatusNotImplemented:               storage.Unsupported,
	http.StatusBadGateway:                   storage.Unavailable,
	http.StatusServiceUnavailable:           storage.Unavailable,
	http.StatusGatewayTimeout:               storage.Unavailable,
}

// OfStatus is what a status means on every provider. Of others, as a redirect
// and 409, which are the provider's to explain, it is Internal.
func OfStatus(status int) storage.Code {
	if code, known := statuses[status]; known {
		return code
	}
	if status >= 200 && status < 300 {
		return storage.Unavailable // an answer that broke off
	}
	return storage.Internal
}

// Passes reports whether a code is one of failures that pass: the same request
// may succeed later.
func Passes(code storage.Code) bool {
	return code == storage.RateLimited || code == storage.Unavailable
}

// RetryAfter is how long an answer asks to wait, in seconds or by date; 0: it
// does not.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		if sent, err := http.ParseTime(h.Get("Date")); err == nil && at.After(sent) {
			return at.Sub(sent) // by the server's clock alone
		}
	}
	return 0
}

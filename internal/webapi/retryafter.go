package webapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// SetRetryAfter sets the header Retry-After if the store has asked to wait: to its time, in whole
// seconds, but at least to least.
func SetRetryAfter(h http.Header, err error, least time.Duration) {
	wait := least
	if e, ok := errors.AsType[*storage.Error](err); ok {
		wait = max(wait, e.RetryAfter)
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
}

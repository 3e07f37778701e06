package serve

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webserver"
)

// statusOf returns the HTTP status for an error. If the store refuses the credentials, or the
// bucket is missing, the status is 500, because the client cannot fix the error.
func statusOf(err error) int {
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound:
		return http.StatusNotFound
	case storage.InvalidArgument:
		return http.StatusBadRequest
	case storage.PermissionDenied, storage.NotPublic, storage.Archived:
		return http.StatusForbidden
	case storage.PreconditionFailed:
		return http.StatusPreconditionFailed
	case storage.RangeNotSatisfiable:
		return http.StatusRequestedRangeNotSatisfiable
	case storage.RateLimited:
		return http.StatusTooManyRequests
	case storage.Unavailable, storage.Changed, storage.Canceled:
		return http.StatusServiceUnavailable
	case storage.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	if errors.Is(err, context.Canceled) {
		// A Downloader of another package may return context errors.
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// sendFailure sends the error response for err, even if the request was canceled. Requests are also
// canceled when the server stops. If nothing were sent then, net/http would respond with an empty
// 200.
func (o objectOptions) sendFailure(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	h := w.Header()
	for _, name := range objectHeaders {
		h.Del(name)
	}
	webserver.SetRetryAfter(h, err, 0)

	isCanceled := errors.Is(r.Context().Err(), context.Canceled)
	switch {
	case o.fail != nil && !isCanceled:
		o.fail(w, r, status, err)
	case o.refuse != nil:
		o.refuse(w, r, err)
	default:
		http.Error(w, textOf(status, err), status)
	}
}

// textOf returns the body of an error response: the text that net/http has for the status. It
// reveals nothing of err, except that a range is invalid.
func textOf(status int, err error) string {
	if errors.Is(err, errNoOverlap) {
		return errNoOverlap.Error()
	}
	if status == http.StatusNotFound {
		return "404 page not found"
	}
	return strconv.Itoa(status) + " " + http.StatusText(status)
}

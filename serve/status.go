package serve

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webserver"
)

// statusOf returns the HTTP status for an error. Errors that a client cannot fix, such as a missing
// bucket or refused credentials, are 500.
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
		// A Downloader of another package may return an error of the context itself.
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// sendFailure sends the error response for err. It also does so for a canceled request, because
// net/http would otherwise send an empty 200 to clients that are connected when the server stops.
func (o objectOptions) sendFailure(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)

	// Headers that describe the object must not come with the error.
	h := w.Header()
	for _, name := range objectHeaders {
		h.Del(name)
	}
	webserver.SetRetryAfter(h, err, 0)

	// The client of a canceled request has usually disconnected, so its error is not one to log or to show.
	isCanceled := errors.Is(r.Context().Err(), context.Canceled)
	switch {
	case o.errorHandler != nil && !isCanceled:
		o.errorHandler(w, r, status, err)
	case o.sendError != nil:
		o.sendError(w, r, err)
	default:
		http.Error(w, textOf(status, err), status)
	}
}

// textOf returns the body of an error response. It reveals nothing of err but that a range is invalid.
func textOf(status int, err error) string {
	if errors.Is(err, errNoOverlap) {
		return errNoOverlap.Error()
	}
	if status == http.StatusNotFound {
		return "404 page not found"
	}
	return strconv.Itoa(status) + " " + http.StatusText(status)
}

package filesapi

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads"
)

// A call is one request.
type call struct {
	*http.Request
	w    http.ResponseWriter
	user uploads.User
}

// maxDrain is how many bytes of a refused body are still read, so that the client sees the
// response. If more remain, the connection is closed.
const maxDrain = 16 << 20

// respond returns a handler that calls f, and responds with its error. If f returns an error, it must not
// have written anything.
func (h *handler) respond(f func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, body := webserver.BodyOf(webserver.BeginRequest(w, r))
		c := &call{Request: r, w: w}
		if err := f(c); err != nil {
			// Refuse also reads the rest of the body.
			body.Refuse(w, r, maxDrain, func() {
				h.fail(c, err)
			})
		}
	}
}

// authorized returns a function that calls f only if the user may do what the request asks for.
func (h *handler) authorized(f func(*call) error) func(*call) error {
	return func(c *call) error {
		user, err := h.config.Authorize(c.Request)
		if err != nil {
			return unauthorized(err)
		}
		c.user = user

		if id := c.PathValue("id"); id != "" {
			if err := h.authorizeFile(c, id); err != nil {
				return err
			}
		}
		return f(c)
	}
}

// authorizeFile fails if the ID is invalid, or if the user may not do this with the file.
func (h *handler) authorizeFile(c *call, id string) error {
	if err := validateID(id); err != nil {
		return err
	}
	if h.config.AuthorizeFile == nil {
		return nil
	}

	err := h.config.AuthorizeFile(c.Request, c.user, id)
	if err == nil {
		return nil
	}
	// Without a code of package uploads, the error comes from Records.
	isFromRecords := uploads.CodeOf(err) == ""
	if isFromRecords && storage.CodeOf(err) == storage.ObjectNotFound {
		return notFound()
	}
	return unauthorized(err)
}

// unauthorized returns the error for the client after Authorize or AuthorizeFile has failed with err.
func unauthorized(err error) *uploads.Error {
	if chosen, ok := errors.AsType[*uploads.Error](err); ok {
		result := *chosen
		result.Code = cmp.Or(chosen.Code, uploads.NotAllowed)
		result.Message = cmp.Or(chosen.Message, "You may not do this.")
		return &result
	}
	code, message := webserver.AuthorizeError[uploads.Code](err)
	return &uploads.Error{Code: code, Message: message, Err: err}
}

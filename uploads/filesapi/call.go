package filesapi

import (
	"errors"
	"io"
	"net/http"

	"github.com/omnibucket/storage/internal/drain"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads"
)

type call struct {
	*http.Request
	w    http.ResponseWriter
	user uploads.User
}

// respond runs f. f either responds, or returns an error before it has written
// anything.
func (h *handler) respond(f func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := *webapi.Begin(w, r) // a copy, because the body is another one
		body := &requestBody{ReadCloser: r.Body}
		asked.Body = body
		c := &call{Request: &asked, w: w}
		if err := f(c); err != nil {
			h.refuse(c, body, err)
		}
	}
}

// maxDrain is how many bytes of a refused body are still read.
const maxDrain = 16 << 20

// A requestBody is a request's body that knows whether it was read.
type requestBody struct {
	io.ReadCloser
	started bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.started = true
	return b.ReadCloser.Read(p)
}

// refuse responds with err, and reads the rest of the body. A client that waits for
// "100 Continue" has sent nothing yet. Reading a longer or slower body costs more than the
// response is worth.
func (h *handler) refuse(c *call, body *requestBody, err error) {
	if body.ReadCloser == nil || body.ReadCloser == http.NoBody || c.ProtoMajor != 1 || !body.started && c.Header.Get("Expect") != "" {
		h.fail(c, err)
		return
	}
	drain.Respond(c.Context(), c.w, body.ReadCloser, maxDrain, func() { h.fail(c, err) })
}

func (h *handler) authorized(f func(*call) error) func(*call) error {
	return func(c *call) error {
		user, err := h.config.Authorize(c.Request)
		if err != nil {
			return unauthorized(err)
		}
		c.user = user
		if id := c.PathValue("id"); id != "" {
			if err := validateID(id); err != nil {
				return err
			}
			if err := h.authorizeFile(c, id); err != nil {
				return err
			}
		}
		return f(c)
	}
}

func (h *handler) authorizeFile(c *call, id string) error {
	if h.config.AuthorizeFile == nil {
		return nil
	}
	if err := h.config.AuthorizeFile(c.Request, c.user, id); err != nil {
		return unauthorized(err)
	}
	return nil
}

func unauthorized(err error) *uploads.Error {
	if own, ok := errors.AsType[*uploads.Error](err); ok {
		return own
	}
	code, message := webapi.FromAuthorize[uploads.Code](err)
	return &uploads.Error{Code: code, Message: message, Err: err}
}

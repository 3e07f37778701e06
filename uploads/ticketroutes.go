package uploads

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"

	"github.com/omnibucket/storage/internal/webapi"
)

// routes has the routes for forms, tickets and removal.
type routes struct{ service *Service }

// answer responds with the result of f, as JSON if it is not nil.
func answer(f func(*call) (status int, value any, err error)) func(*call) error {
	return func(c *call) error {
		status, value, err := f(c)
		switch {
		case err != nil:
			return err
		case value == nil:
			c.w.WriteHeader(status)
		default:
			webapi.WriteJSON(c.w, status, "application/json", value)
		}
		return nil
	}
}

func (h *routes) sign(c *call) (status int, value any, err error) {
	var asked struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return 0, nil, err
	}
	t, err := h.service.Sign(c.Context(), Request{Name: asked.Name, Type: asked.Type, Size: asked.Size}, c.user)
	return http.StatusCreated, t, err
}

// finish continues if the client disconnects, so that a proxy without patience does not keep a
// large file from being copied.
func (h *routes) finish(c *call) (status int, value any, err error) {
	token, err := readToken(c)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), finishTimeout)
	defer cancel()
	r, err := h.service.Finish(ctx, token, c.user)
	return http.StatusOK, r, err
}

func (h *routes) remove(c *call) (status int, value any, err error) {
	if len(h.service.pattern.Values) == 0 && !h.service.config.DeleteShared {
		return 0, nil, refuse("key", NotAllowed, "Files cannot be removed here.")
	}
	return http.StatusNoContent, nil, h.service.Delete(c.Context(), c.PathValue("key"), c.user)
}

// readToken reads a document that has only a token.
func readToken(c *call) (string, error) {
	var asked struct {
		Token string `json:"token"`
	}
	err := readJSON(c, &asked, maxBegin, true)
	return asked.Token, err
}

// smallDocument is how many bytes a document has that takes no memory of others.
const smallDocument = 4 << 10

// readJSON reads a document of at most this many bytes. If it is strict, unknown fields are refused. A page
// of another origin cannot send this type without a preflight. A decoder holds all of a document that comes
// slowly.
func readJSON(c *call, to any, most int64, strict bool) error {
	if mediaType, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return wrongType("The request must be application/json.")
	}
	if length := c.ContentLength; length < 0 || length > smallDocument {
		if length < 0 || length > most {
			length = most
		}
		release, err := c.share(length)
		if err != nil {
			return err
		}
		defer release()
	}
	d := json.NewDecoder(http.MaxBytesReader(c.w, c.idleBody(), most))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(to); err != nil {
		return refuse("", InvalidRequest, "The request is not understood.")
	}
	return nil
}

package uploads

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
)

// routes has the routes for forms, tickets and removal.
type routes struct{ service *Service }

func (h *routes) sign(c *call) error {
	var asked struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return err
	}
	t, err := h.service.Sign(c.Context(), Request{Name: asked.Name, Type: asked.Type, Size: asked.Size}, c.user)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, t)
}

// finish continues if the client disconnects, so that a proxy without patience does not keep a
// large file from being copied.
func (h *routes) finish(c *call) error {
	var asked struct {
		Token string `json:"token"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), finishTimeout)
	defer cancel()
	f, err := h.service.Finish(ctx, asked.Token, c.user)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, f)
}

func (h *routes) remove(c *call) error {
	if len(h.service.pattern.Values) == 0 && !h.service.config.DeleteShared {
		return refuse("key", NotAllowed, "Files cannot be removed here.")
	}
	if err := h.service.Delete(c.Context(), c.PathValue("key"), c.user); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
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

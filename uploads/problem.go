package uploads

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage/internal/webapi"
)

// A problem is the JSON of an error (RFC 9457). It reveals nothing of the store.
type problem struct {
	Title  string `json:"title"` // the text of the status
	Status int    `json:"status"`
	Detail string `json:"detail"` // for a person
	Code   Code   `json:"code"`
	Field  string `json:"field,omitempty"`
	File   string `json:"file,omitempty"`
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = unauthorized(err)
	}
	status := meanings.Status(e.Code)
	if status >= http.StatusInternalServerError {
		if h.config.OnError != nil {
			h.config.OnError(r, err)
		}
		webapi.SetRetryAfter(w.Header(), err, 0)
	}
	webapi.WriteJSON(w, status, "application/problem+json", problem{
		Title: http.StatusText(status), Status: status, Detail: e.Message, Code: e.Code, Field: e.Field, File: e.Name,
	})
}

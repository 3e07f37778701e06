package files

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage/internal/webapi"
)

// A problem is the JSON of an error. It reveals nothing of the store.
type problem struct {
	Code      Code    `json:"code"`
	Field     string  `json:"field,omitempty"`
	Message   string  `json:"message"` // for a person
	RequestID string  `json:"requestId,omitempty"`
	Record    *Record `json:"record,omitempty"` // of Completed
}

// A statusError is an error with another status than that of its code.
type statusError struct {
	status int
	err    *Error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// problemOf returns the status and the problem of err.
func problemOf(err error) (status int, p problem) {
	e, own := errors.AsType[*Error](err)
	if !own {
		e = refuse("", Internal, "Something went wrong here. Try again in a moment.")
	}
	return meanings.Status(e.Code), problem{Code: e.Code, Field: truncateField(e.Field), Message: e.Message, Record: e.Record}
}

// renameField returns err with the name that the field has in this request.
func renameField(err error, field, here string) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Field == field {
		told := *e
		told.Field = here
		return &told
	}
	return err
}

// maxField limits how much of a field name chosen by the client is repeated.
const maxField = 64

func truncateField(field string) string {
	if len(field) <= maxField {
		return field
	}
	return field[:maxField]
}

// fail responds with err.
func (h *handler) fail(c *call, err error) {
	status, p := problemOf(err)
	if own, ok := err.(*statusError); ok {
		status = own.status
	}
	p.RequestID = c.w.Header().Get(webapi.RequestIDHeader)
	if status >= http.StatusInternalServerError {
		if h.config.OnError != nil {
			h.config.OnError(c.Request, err)
		}
		webapi.SetRetryAfter(c.w.Header(), err, 0)
	}
	writeJSON(c.w, status, p)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	webapi.WriteJSON(w, status, "application/json", value)
}

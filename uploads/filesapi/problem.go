package filesapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads"
)

// A problem is the JSON of an error. It reveals nothing about the store.
type problem struct {
	Code      uploads.Code `json:"code"`
	Field     string       `json:"field,omitempty"`
	Message   string       `json:"message"` // for a person
	RequestID string       `json:"requestId,omitempty"`
	Record    *Record      `json:"record,omitempty"` // set if Code is Completed
}

// A completedError is an error with the code Completed: the file of the token exists already. It
// has the record of that file.
type completedError struct {
	record *Record
	err    error
}

func (e *completedError) Error() string { return e.err.Error() }
func (e *completedError) Unwrap() error { return e.err }

// reportError passes an error of the server to Config.OnError, because the response hides its cause. It returns the
// status and the body of the response for the error.
func (h *handler) reportError(r *http.Request, err error) (status int, p problem) {
	uploadErr, isUploadErr := errors.AsType[*uploads.Error](err)
	if !isUploadErr {
		uploadErr = refuse("", uploads.Internal, "Something went wrong here. Try again in a moment.")
	}

	p = problem{Code: uploadErr.Code, Field: webserver.Field(uploadErr.Field), Message: uploadErr.Message}
	if completed, ok := err.(*completedError); ok {
		p.Record = completed.record
	}
	status = uploadErr.HTTPStatus()
	isServerError := status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled)
	if isServerError && h.config.OnError != nil {
		h.config.OnError(r, err)
	}
	return status, p
}

// renameField returns an error about oldName as one about newName, under which the client has sent
// the value. It returns any other error as it is.
func renameField(err error, oldName, newName string) error {
	uploadErr, ok := errors.AsType[*uploads.Error](err)
	if !ok || uploadErr.Field != oldName {
		return err
	}
	renamed := *uploadErr
	renamed.Field = newName
	return &renamed
}

// fail writes the response for an error.
func (h *handler) fail(c *call, err error) {
	status, p := h.reportError(c.Request, err)
	p.RequestID = c.w.Header().Get(webserver.RequestIDHeader)
	webserver.RetryLater(c.w.Header(), status, err)
	_ = c.json(status, p)
}

// json responds with a JSON document.
func (c *call) json(status int, value any) error {
	webserver.WriteJSON(c.w, status, "application/json", value)
	return nil
}

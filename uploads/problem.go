package uploads

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/webapi"
)

// unauthorized converts an error of the application's functions.
func unauthorized(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	code, message := webapi.FromAuthorize[Code](err)
	return &Error{Code: code, Message: message, Err: err}
}

// A problem is the JSON of an error (RFC 9457). It reveals nothing of the store. Uppy
// shows Message, which is Detail again.
type problem struct {
	Type     string `json:"type,omitempty"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Message  string `json:"message"`
	Code     Code   `json:"code"`
	Field    string `json:"field,omitempty"`
	File     string `json:"file,omitempty"`
	Request  string `json:"requestId"`
	Key      string `json:"key,omitempty"`      // of Completed
	Location string `json:"location,omitempty"` // of Completed
	Expected *int64 `json:"expected-offset,omitempty"`
	Provided *int64 `json:"provided-offset,omitempty"`
}

// internalMessage is the text of errors of the application.
const internalMessage = "Something went wrong here. Try again in a moment."

// maxField limits how much of a field name is repeated.
const maxField = 64

// fail responds with err.
func (h *responder) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Code: Internal, Message: internalMessage, Err: err}
	}
	status := e.HTTPStatus()
	if status >= http.StatusInternalServerError && h.config.OnError != nil && !errors.Is(err, context.Canceled) {
		h.config.OnError(r, err)
	}
	if status >= http.StatusInternalServerError && status != http.StatusNotImplemented || status == http.StatusLocked || status == http.StatusTooManyRequests {
		webapi.SetRetryAfter(w.Header(), err, time.Second)
	}
	p := problem{
		Title: http.StatusText(status), Status: status, Detail: e.Message, Message: e.Message,
		Code: e.Code, Field: e.Field[:min(maxField, len(e.Field))], File: e.Name, Request: w.Header().Get(webapi.RequestIDHeader), Key: e.key, Location: e.location,
	}
	if e.problem != "" {
		p.Type = problemTypes + e.problem
	}
	if e.offsets != nil {
		p.Expected, p.Provided = &e.offsets[0], &e.offsets[1]
	}
	webapi.WriteJSON(w, status, "application/problem+json", p)
}

package resumable

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/internal/words"
)

// A Code says why a request was refused. The package documentation has the table. The
// JSON of every error response contains it.
type Code string

// The codes.
const (
	InvalidValue      Code = "invalid_value"
	InvalidRequest    Code = "invalid_request"
	NotFound          Code = "not_found"
	TooLarge          Code = "too_large"
	WrongSize         Code = "wrong_size"
	PartsMissing      Code = "parts_missing"
	PartsChanged      Code = "parts_changed"
	PartTooSmall      Code = "part_too_small"
	OffsetMismatch    Code = "offset_mismatch"
	ChecksumMismatch  Code = "checksum_mismatch"
	Completed         Code = "completed"
	Exists            Code = "exists"
	Locked            Code = "locked"
	Refused           Code = "refused"
	UnsupportedType   Code = "unsupported_type"
	UnknownVersion    Code = "unknown_version"
	Unauthenticated   Code = "unauthenticated"
	NotAllowed        Code = "not_allowed"
	Interrupted       Code = "interrupted"
	Busy              Code = "busy"
	StoreFailed       Code = "store_failed"
	Internal          Code = "internal"
	statusBadChecksum      = 460 // of the tus protocol
)

// meanings has the storage code and the HTTP status of each code.
var meanings = webapi.WithShared(webapi.Meanings[Code]{
	NotFound:         {Storage: storage.ObjectNotFound, Status: http.StatusNotFound},
	WrongSize:        {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	PartsMissing:     {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	PartsChanged:     {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	PartTooSmall:     {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	OffsetMismatch:   {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	ChecksumMismatch: {Storage: storage.ChecksumMismatch, Status: statusBadChecksum},
	Completed:        {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	Exists:           {Storage: storage.PreconditionFailed, Status: http.StatusPreconditionFailed}, // 409 would be tried again
	Locked:           {Storage: storage.Locked, Status: http.StatusLocked},
	Refused:          {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	UnsupportedType:  {Storage: storage.InvalidArgument, Status: http.StatusUnsupportedMediaType},
	UnknownVersion:   {Storage: storage.InvalidArgument, Status: http.StatusPreconditionFailed},
	Busy:             {Storage: storage.Unavailable, Status: http.StatusServiceUnavailable},
})

// An Error refuses a request. The functions of [Config] may return one to choose the
// response.
type Error struct {
	Code    Code
	Field   string // of the request that is wrong: "size", "parts[3]", "Upload-Offset"
	Message string // a sentence for a person, in English
	Status  int    // HTTP; 0: that of Code, or 403 if Code is not of this package
	Err     error  // a storage.Code, or the *storage.Error that caused it; not for the client

	key, location string // of Completed
}

// Error returns a text for logs. The text for people is Message.
func (e *Error) Error() string {
	return webapi.ErrorText("resumable", e.Field, e.Code, e.Message, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func refuse(field string, code Code, message string) *Error {
	return &Error{Field: field, Code: code, Message: message, Err: meanings.Storage(code)}
}

func invalid(field, message string) *Error { return refuse(field, InvalidValue, message) }

// notFound is the error for an upload that does not exist, has expired, was aborted, or
// belongs to another user.
func notFound() *Error {
	return refuse("uploadId", NotFound, "There is no such upload. It may have expired: start again.")
}

func tooLarge(field string, limit int64) *Error {
	return refuse(field, TooLarge, "The file is too large: at most "+words.Bytes(limit)+" are allowed.")
}

func exists() *Error {
	return refuse("key", Exists, "There is a file of this name already.")
}

func beingCompleted() *Error {
	return refuse("uploadId", Locked, "This upload is being completed. Try again in a moment.")
}

func busy() *Error {
	return refuse("", Busy, "Too many files arrive at once. Try again in a moment.")
}

// errStopping is for a request whose context was canceled, usually because the server stops. Clients
// repeat a request after 503.
func errStopping() *Error {
	return &Error{Code: Busy, Message: "The server is stopping. Try again in a moment.", Err: context.Canceled}
}

// storeFailed returns the error for an error of the bucket.
func storeFailed(err error) error {
	if _, own := errors.AsType[*Error](err); own {
		return err
	}
	switch {
	case storage.CodeOf(err) == storage.BodyFailed:
		return &Error{Code: Interrupted, Message: "The request was interrupted.", Err: err}
	case errors.Is(err, context.Canceled): // by the server, or by a client that reads no response
		e := errStopping()
		e.Err = err
		return e
	}
	return &Error{Code: StoreFailed, Message: "The file could not be stored. Try again in a moment.", Err: err}
}

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
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Message  string `json:"message"`
	Code     Code   `json:"code"`
	Field    string `json:"field,omitempty"`
	Key      string `json:"key,omitempty"`      // of Completed
	Location string `json:"location,omitempty"` // of Completed
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
	status := e.Status
	if status < 400 || status > 599 {
		status = meanings.Status(e.Code)
	}
	if status >= http.StatusInternalServerError {
		if h.config.OnError != nil && !errors.Is(err, context.Canceled) {
			h.config.OnError(r, err)
		}
		if status == http.StatusServiceUnavailable {
			webapi.SetRetryAfter(w.Header(), err, time.Second)
		}
	}
	webapi.WriteJSON(w, status, "application/problem+json", problem{
		Title: http.StatusText(status), Status: status, Detail: e.Message, Message: e.Message,
		Code: e.Code, Field: e.Field[:min(maxField, len(e.Field))], Key: e.key, Location: e.location,
	})
}

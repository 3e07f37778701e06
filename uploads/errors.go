package uploads

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxcode"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Code says why a file was refused. The package documentation has the table. The
// JSON of every error response contains it.
type Code string

// The codes.
const (
	NoFile           Code = "no_file"
	TooManyFiles     Code = "too_many_files"
	Empty                 = Code(rules.Empty)
	TooSmall              = Code(rules.TooSmall)
	TooLarge              = Code(rules.TooLarge)
	WrongSize        Code = "wrong_size"
	TypeNotAllowed        = Code(rules.TypeNotAllowed)
	Damaged               = Code(rules.Damaged)
	ActiveContent         = Code(rules.ActiveContent)
	TooManyPixels         = Code(rules.TooManyPixels)
	InvalidValue     Code = "invalid_value"
	InvalidRequest   Code = "invalid_request"
	NotUploaded      Code = "not_uploaded"
	NotAllowed       Code = "not_allowed"
	Unauthenticated  Code = "unauthenticated"
	Interrupted      Code = "interrupted"
	StoreFailed      Code = "store_failed"
	Internal         Code = "internal"
	NotFound         Code = "not_found"
	PartsChanged     Code = "parts_changed"
	OffsetMismatch   Code = "offset_mismatch"
	ChecksumMismatch Code = "checksum_mismatch"
	Completed        Code = "completed"
	Exists           Code = "exists"
	Locked           Code = "locked"
	Refused          Code = "refused"
	Busy             Code = "busy"

	statusBadChecksum = 460 // of the tus protocol
)

// meanings has the storage code of each code, if no error of the store says more, and its HTTP status.
var meanings = map[Code]struct {
	Storage storage.Code
	Status  int
}{
	NoFile:           {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	TooManyFiles:     {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	Empty:            {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	TooSmall:         {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	WrongSize:        {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	TypeNotAllowed:   {Storage: storage.InvalidArgument, Status: http.StatusUnsupportedMediaType},
	Damaged:          {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	ActiveContent:    {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	TooManyPixels:    {Storage: storage.TooLarge, Status: http.StatusUnprocessableEntity},
	NotUploaded:      {Storage: storage.ObjectNotFound, Status: http.StatusUnprocessableEntity},
	NotFound:         {Storage: storage.ObjectNotFound, Status: http.StatusNotFound},
	PartsChanged:     {Storage: storage.PreconditionFailed, Status: http.StatusUnprocessableEntity},
	OffsetMismatch:   {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	ChecksumMismatch: {Storage: storage.ChecksumMismatch, Status: statusBadChecksum},
	Completed:        {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	Exists: {
		Storage: storage.PreconditionFailed, Status: http.StatusPreconditionFailed,
	}, // 409 would be tried again
	Locked:          {Storage: storage.Locked, Status: http.StatusLocked},
	Refused:         {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	Busy:            {Storage: storage.Unavailable, Status: http.StatusServiceUnavailable},
	InvalidValue:    {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	TooLarge:        {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	Interrupted:     {Storage: storage.BodyFailed, Status: http.StatusBadRequest},
	StoreFailed:     {Storage: storage.Unavailable, Status: http.StatusServiceUnavailable},
	InvalidRequest:  {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	Unauthenticated: {Storage: storage.Unauthenticated, Status: http.StatusUnauthorized},
	NotAllowed:      {Storage: storage.PermissionDenied, Status: http.StatusForbidden},
	Internal:        {Storage: storage.Internal, Status: http.StatusInternalServerError},
}

// Storage returns the [storage.Code] that an [Error] with this code has if no error of the store says
// more. It returns [storage.Internal] if the package does not have the code.
func (c Code) Storage() storage.Code { return cmp.Or(meanings[c].Storage, storage.Internal) }

// An Error is the error of every function of this package, except [New], which returns a
// *storage.Error. The functions of [Config] may return one to choose the response.
type Error struct {
	Field   string // field of the form or request, such as "token", "size" or "parts[3]", or a value's name
	Code    Code
	Message string // a sentence for the sender of the file, in English
	Name    string // name of the file, safe to show; "" if the error is not about a file
	Status  int    // HTTP status; 0 means that of Code, or 403 if Code is not of this package
	Err     error  // a storage.Code, or the *storage.Error that caused it; not for the sender

	key, location string    // set for Completed
	problem       string    // problem type in the registry; "" means none
	offsets       *[2]int64 // if offsets differ: where the upload continues, and where the request did
}

// Error returns a text for logs. The text for people is Message. A cause that is a bare
// [storage.Code] is left out.
func (e *Error) Error() string {
	text := "uploads: "
	if e.Field != "" {
		text += e.Field + ": "
	}
	text += string(e.Code) + ": " + e.Message
	if _, bare := e.Err.(storage.Code); !bare && e.Err != nil {
		text += " (" + e.Err.Error() + ")"
	}
	return text
}

// HTTPStatus returns the status of the response with this error.
func (e *Error) HTTPStatus() int {
	if e.Status >= http.StatusBadRequest && e.Status <= 599 {
		return e.Status
	}
	return cmp.Or(meanings[e.Code].Status, http.StatusForbidden)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's tree, or "".
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

const (
	fileField  = "file"  // the field of errors about the file itself
	tokenField = "token" // the field of errors about the ticket
)

func refuse(field string, code Code, message string) *Error {
	return &Error{Field: field, Code: code, Message: message, Err: code.Storage()}
}

func refuseFile(code Code, message string) *Error { return refuse(fileField, code, message) }

// refused returns the error for a file that breaks a rule, or nil.
func refused(err error) *Error {
	if r, ok := err.(*rules.Refusal); ok {
		return refuseFile(Code(r.Code), r.Message)
	}
	return nil
}

func wrongSize() *Error {
	return refuseFile(WrongSize, "The length of the file is not the announced one.")
}

func noFile() *Error { return refuseFile(NoFile, "There is no file.") }

// about returns a copy of e with the name of the file: the application may return one error for many
// files.
func (e *Error) about(name string) *Error {
	named := *e
	named.Name = name
	return &named
}

// saying returns an error of the application, with a code and a message if it has none.
func (e *Error) saying(code Code, message string) *Error {
	if e.Code != "" && e.Message != "" {
		return e
	}
	said := *e
	said.Code, said.Message = cmp.Or(e.Code, code), cmp.Or(e.Message, message)
	return &said
}

// storeFailed returns the error for an error of the bucket.
func storeFailed(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	e := &Error{
		Field: fileField, Code: StoreFailed, Message: "The file could not be stored. Try again in a moment.", Err: err,
	}
	failed, _ := errors.AsType[*storage.Error](err)
	reads := failed != nil &&
		(failed.Op == "Copy" || failed.Op == "Compose") // the body is read from the store, and not from the sender
	switch {
	case storage.CodeOf(err) == storage.BodyFailed && !reads:
		e.Code, e.Message = Interrupted, "The upload was interrupted."
	case storage.CodeOf(err) == storage.TooLarge:
		e.Code, e.Message = TooLarge, "The file is larger than the store allows."
	case errors.Is(err, context.Canceled): // usually because the server stops; a client repeats a request after 503
		e.Code, e.Status, e.Message = Interrupted, http.StatusServiceUnavailable, "The server is stopping. Try again in a moment."
	}
	return e
}

// unread returns the error for a file that could not be read to judge it.
func unread(ctx context.Context, err error) *Error {
	if ctx.Err() == nil {
		return interrupted(err)
	}
	return storeFailed(&storage.Error{Code: ctxcode.Of(ctx.Err()), Op: "uploads", Err: ctx.Err()})
}

// interrupted returns the error for a read error of the sender's stream.
func interrupted(err error) *Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuseFile(
			TooLarge, "The files are too large: together they may have at most "+words.Bytes(tooLarge.Limit)+".",
		)
	}
	return &Error{
		Field: fileField, Code: Interrupted, Message: "The file did not arrive completely. Try again.",
		Err: &storage.Error{Code: storage.BodyFailed, Err: err},
	}
}

func wrongType(message string) *Error {
	e := refuse("Content-Type", InvalidRequest, message)
	e.Status = http.StatusUnsupportedMediaType
	return e
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

func exists() *Error { return refuse("key", Exists, "There is a file of this name already.") }

func beingCompleted() *Error {
	return refuse("uploadId", Locked, "This upload is being completed. Try again in a moment.")
}

func busy(err error) *Error {
	return &Error{Code: Busy, Message: "Too many files arrive at once. Try again in a moment.", Err: err}
}

// completedToken is the error for a token that has made its file.
func completedToken() *Error {
	return refuse(tokenField, Completed, "All parts of this file have been received already.")
}

func unauthorized(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own.saying(NotAllowed, "You may not do this.")
	}
	code, message := webapi.FromAuthorize[Code](err)
	return &Error{Code: code, Message: message, Err: err}
}

// A problem is the JSON of an error (RFC 9457). It reveals nothing of the store. Uppy shows
// Message, which has the same text as Detail.
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
	Key      string `json:"key,omitempty"`      // set for Completed
	Location string `json:"location,omitempty"` // set for Completed
	Expected *int64 `json:"expected-offset,omitempty"`
	Provided *int64 `json:"provided-offset,omitempty"`
}

const internalMessage = "Something went wrong here. Try again in a moment."

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Code: Internal, Message: internalMessage, Err: err}
	}
	status := e.HTTPStatus()
	if status >= http.StatusInternalServerError && h.config.OnError != nil && !errors.Is(err, context.Canceled) {
		h.config.OnError(r, err)
	}
	webapi.RetryLater(w.Header(), status, err)
	p := problem{
		Title: http.StatusText(status), Status: status, Detail: e.Message, Message: e.Message,
		Code: e.Code, Field: webapi.Field(e.Field), File: e.Name, Request: w.Header().Get(webapi.RequestIDHeader),
		Key: e.key, Location: e.location,
	}
	if e.problem != "" {
		p.Type = problemTypes + e.problem
	}
	if e.offsets != nil {
		p.Expected, p.Provided = &e.offsets[0], &e.offsets[1]
	}
	webapi.WriteJSON(w, status, "application/problem+json", p)
}

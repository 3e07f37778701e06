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

// A Code says why a request failed. The package documentation has the table of codes. The JSON of
// every error response contains the code.
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
	OverAllowance    Code = "over_allowance"

	statusBadChecksum = 460 // status of a checksum mismatch in the tus protocol
)

// meanings maps each code to its HTTP status, and to its storage code. An error that the store
// caused has the storage code of the store instead.
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
	// The status is not 409. After 409, a client would repeat the request, which would fail again.
	Exists:       {Storage: storage.PreconditionFailed, Status: http.StatusPreconditionFailed},
	Locked:       {Storage: storage.Locked, Status: http.StatusLocked},
	Refused:      {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	Busy:         {Storage: storage.Unavailable, Status: http.StatusServiceUnavailable},
	InvalidValue: {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	TooLarge:     {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	// The status is not 507, because clients of tus and upload.js repeat a request after a 5xx
	// status. A repeated request would fail again, because there is still no room.
	OverAllowance:   {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	Interrupted:     {Storage: storage.BodyFailed, Status: http.StatusBadRequest},
	StoreFailed:     {Storage: storage.Unavailable, Status: http.StatusServiceUnavailable},
	InvalidRequest:  {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	Unauthenticated: {Storage: storage.Unauthenticated, Status: http.StatusUnauthorized},
	NotAllowed:      {Storage: storage.PermissionDenied, Status: http.StatusForbidden},
	Internal:        {Storage: storage.Internal, Status: http.StatusInternalServerError},
}

// Storage returns the [storage.Code] that belongs to c. If c is not a code of this package, Storage
// returns [storage.Internal].
//
// For an [Error] with the code c, [storage.CodeOf] returns the same storage.Code. If the store
// caused the Error, storage.CodeOf returns the code of the store's error instead.
func (c Code) Storage() storage.Code { return cmp.Or(meanings[c].Storage, storage.Internal) }

// An Error is the error of every function of this package except [New]. New returns a
// *storage.Error. A function in [Config], such as Authorize, may return an *Error to choose the
// response.
type Error struct {
	// Field is the name of the invalid field in the form or request, such as "token", "size" or
	// "parts[3]". If a value for the pattern Config.Key is invalid, Field is the name of that
	// value.
	Field   string
	Code    Code
	Message string // a sentence in English for the sender of the file
	Name    string // name of the file, safe to show; "" if the error is not about a file
	Status  int    // HTTP status; if it is 0, HTTPStatus derives it from Code
	Err     error  // a storage.Code, or the *storage.Error that caused this error; not shown to the sender

	key, location string    // key and location of the file; set if Code is Completed
	problem       string    // type of the problem (RFC 9457), if it is a registered type; "" for any other problem
	offsets       *[2]int64 // set if the offset was wrong: the offset to continue at, and the offset in the request
}

// Error returns a text for logs. For a text that is shown to people, use Message. If Err is only a
// [storage.Code], the text does not contain it.
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

// HTTPStatus returns the status of the response with this error. If Status is not an error status,
// it returns the status of Code, or 403 if Code is not of this package.
func (e *Error) HTTPStatus() int {
	if e.Status >= http.StatusBadRequest && e.Status <= 599 {
		return e.Status
	}
	return cmp.Or(meanings[e.Code].Status, http.StatusForbidden)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's tree. If there is none, it returns "".
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

// refused returns the response for a file that breaks a rule. If err is not a Refusal, it returns
// nil.
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

// about returns a copy of e with the name of the file. It makes a copy because the application may
// return the same *Error for many files.
func (e *Error) about(name string) *Error {
	clone := *e
	clone.Name = name
	return &clone
}

// saying returns e with a code and a message. The arguments code and message are used only where
// the application has not set its own.
func (e *Error) saying(code Code, message string) *Error {
	if e.Code != "" && e.Message != "" {
		return e
	}
	said := *e
	said.Code = cmp.Or(e.Code, code)
	said.Message = cmp.Or(e.Message, message)
	return &said
}

// storeFailed converts an error of the bucket to the response for the client.
func storeFailed(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{
		Field:   fileField,
		Code:    StoreFailed,
		Message: "The file could not be stored. Try again in a moment.",
		Err:     err,
	}
	failure, _ := errors.AsType[*storage.Error](err)
	reads := failure != nil &&
		(failure.Op == "Copy" || failure.Op == "Compose") // a copy reads the body from the store and not from the sender
	switch {
	case storage.CodeOf(err) == storage.BodyFailed && !reads:
		e.Code = Interrupted
		e.Message = "The upload was interrupted."
	case storage.CodeOf(err) == storage.TooLarge:
		e.Code = TooLarge
		e.Message = "The file is larger than the store allows."
	case errors.Is(err, context.Canceled): // usually the server is stopping; after 503, a client repeats its request
		e.Code = Interrupted
		e.Status = http.StatusServiceUnavailable
		e.Message = "The server is stopping. Try again in a moment."
	}
	return e
}

// unread returns the response to an upload if reading the beginning of the file failed with err.
// The beginning is needed to check the file.
func unread(ctx context.Context, err error) *Error {
	if ctx.Err() == nil {
		return interrupted(err)
	}
	return storeFailed(&storage.Error{Code: ctxcode.Of(ctx.Err()), Op: "uploads", Err: ctx.Err()})
}

// interrupted returns the response if reading the sender's body failed with err.
func interrupted(err error) *Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuseFile(TooLarge,
			"The files are too large: together they may have at most "+words.Bytes(tooLarge.Limit)+".")
	}
	return &Error{
		Field:   fileField,
		Code:    Interrupted,
		Message: "The file did not arrive completely. Try again.",
		Err:     &storage.Error{Code: storage.BodyFailed, Err: err},
	}
}

func wrongType(message string) *Error {
	e := refuse("Content-Type", InvalidRequest, message)
	e.Status = http.StatusUnsupportedMediaType
	return e
}

func invalid(field, message string) *Error { return refuse(field, InvalidValue, message) }

// notFound returns the error for an upload that does not exist, has expired, was aborted, or
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

// completedToken returns the error for a piece whose token names a file that is complete already.
func completedToken() *Error {
	return refuse(tokenField, Completed, "All parts of this file have been received already.")
}

func unauthorized(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.saying(NotAllowed, "You may not do this.")
	}
	code, message := webapi.FromAuthorize[Code](err)
	return &Error{Code: code, Message: message, Err: err}
}

// A problem is the JSON of an error (RFC 9457). It reveals nothing about the store. Message has the
// same text as Detail, because Uppy shows only Message.
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
	Key      string `json:"key,omitempty"`      // set if Code is Completed
	Location string `json:"location,omitempty"` // set if Code is Completed
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
		Title:    http.StatusText(status),
		Status:   status,
		Detail:   e.Message,
		Message:  e.Message,
		Code:     e.Code,
		Field:    webapi.Field(e.Field),
		File:     e.Name,
		Request:  w.Header().Get(webapi.RequestIDHeader),
		Key:      e.key,
		Location: e.location,
	}
	if e.problem != "" {
		p.Type = problemTypes + e.problem
	}
	if e.offsets != nil {
		p.Expected = &e.offsets[0]
		p.Provided = &e.offsets[1]
	}
	webapi.WriteJSON(w, status, "application/problem+json", p)
}

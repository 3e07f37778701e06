// Package refusal has the errors with which package uploads answers a sender: a field and a message
// for the form, a code for the program, and a status of HTTP. Its main type is [Error]. The functions of
// package uploads return them as *uploads.Error.
package refusal

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Code says why a request failed. The codes are those of package uploads.
type Code string

// The codes.
const (
	CodeNoFile           Code = "no_file"
	CodeTooManyFiles     Code = "too_many_files"
	CodeEmpty                 = Code(rules.Empty)
	CodeTooSmall              = Code(rules.TooSmall)
	CodeTooLarge              = Code(rules.TooLarge)
	CodeWrongSize        Code = "wrong_size"
	CodeTypeNotAllowed        = Code(rules.TypeNotAllowed)
	CodeDamaged               = Code(rules.Damaged)
	CodeActiveContent         = Code(rules.ActiveContent)
	CodeTooManyPixels         = Code(rules.TooManyPixels)
	CodeInvalidValue     Code = "invalid_value"
	CodeInvalidRequest   Code = "invalid_request"
	CodeNotUploaded      Code = "not_uploaded"
	CodeNotAllowed       Code = "not_allowed"
	CodeUnauthenticated  Code = "unauthenticated"
	CodeInterrupted      Code = "interrupted"
	CodeStoreFailed      Code = "store_failed"
	CodeInternal         Code = "internal"
	CodeNotFound         Code = "not_found"
	CodePartsChanged     Code = "parts_changed"
	CodeOffsetMismatch   Code = "offset_mismatch"
	CodeChecksumMismatch Code = "checksum_mismatch"
	CodeCompleted        Code = "completed"
	CodeExists           Code = "exists"
	CodeLocked           Code = "locked"
	CodeRefused          Code = "refused"
	CodeBusy             Code = "busy"
	CodeOverAllowance    Code = "over_allowance"

	statusBadChecksum = 460 // status of a checksum mismatch in the tus protocol
)

// A Meaning is what a [Code] is in other protocols.
type Meaning struct {
	Storage storage.Code
	Status  int // of HTTP
}

// Meanings maps each code to its HTTP status, and to its storage code. An error that the store
// caused has the storage code of the store instead.
var Meanings = map[Code]Meaning{
	CodeNoFile:           {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	CodeTooManyFiles:     {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	CodeEmpty:            {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	CodeTooSmall:         {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	CodeWrongSize:        {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	CodeTypeNotAllowed:   {Storage: storage.InvalidArgument, Status: http.StatusUnsupportedMediaType},
	CodeDamaged:          {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	CodeActiveContent:    {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	CodeTooManyPixels:    {Storage: storage.TooLarge, Status: http.StatusUnprocessableEntity},
	CodeNotUploaded:      {Storage: storage.ObjectNotFound, Status: http.StatusUnprocessableEntity},
	CodeNotFound:         {Storage: storage.ObjectNotFound, Status: http.StatusNotFound},
	CodePartsChanged:     {Storage: storage.PreconditionFailed, Status: http.StatusUnprocessableEntity},
	CodeOffsetMismatch:   {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	CodeChecksumMismatch: {Storage: storage.ChecksumMismatch, Status: statusBadChecksum},
	CodeCompleted:        {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	// The status is not 409. After 409, a client would repeat the request, which would fail again.
	CodeExists:       {Storage: storage.PreconditionFailed, Status: http.StatusPreconditionFailed},
	CodeLocked:       {Storage: storage.Locked, Status: http.StatusLocked},
	CodeRefused:      {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	CodeBusy:         {Storage: storage.Unavailable, Status: http.StatusServiceUnavailable},
	CodeInvalidValue: {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	CodeTooLarge:     {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	// The status is not 507, because clients of tus and upload.js repeat a request after a 5xx
	// status. A repeated request would fail again, because there is still no room.
	CodeOverAllowance:   {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	CodeInterrupted:     {Storage: storage.BodyFailed, Status: http.StatusBadRequest},
	CodeStoreFailed:     {Storage: storage.Unavailable, Status: http.StatusServiceUnavailable},
	CodeInvalidRequest:  {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	CodeUnauthenticated: {Storage: storage.Unauthenticated, Status: http.StatusUnauthorized},
	CodeNotAllowed:      {Storage: storage.PermissionDenied, Status: http.StatusForbidden},
	CodeInternal:        {Storage: storage.Internal, Status: http.StatusInternalServerError},
}

// Storage returns the [storage.Code] of c, or [storage.Internal] if c is of an application.
func (c Code) Storage() storage.Code { return cmp.Or(Meanings[c].Storage, storage.Internal) }

// Status returns the status of HTTP of c, or 403 if c is of an application.
func (c Code) Status() int { return cmp.Or(Meanings[c].Status, http.StatusForbidden) }

// An Error is an *uploads.Error, with what only the handler needs.
type Error struct {
	Field   string
	Code    Code
	Message string // a sentence in English for the sender of the file
	Name    string // name of the file, safe to show; "" if the error is not about a file
	Status  int    // HTTP status; if it is 0, HTTPStatus derives it from Code
	Err     error  // a storage.Code, or the *storage.Error that caused this error; not shown to the sender

	Key, Location string   // key and location of the file; set if Code is CodeCompleted
	Problem       string   // type of the problem (RFC 9457), if it is a registered type; "" for any other problem
	Offsets       *Offsets // set if the offset was wrong
}

// Offsets are the offset at which an upload continues, and the one that the request has.
type Offsets struct{ Expected, Provided int64 }

// Error returns a text for logs, with the text of Err unless that is only a [storage.Code]. The text for
// people is in Message.
func (e *Error) Error() string {
	text := "uploads: "
	if e.Field != "" {
		text += e.Field + ": "
	}
	text += string(e.Code) + ": " + e.Message
	_, isOnlyCode := e.Err.(storage.Code)
	if e.Err != nil && !isOnlyCode {
		text += " (" + e.Err.Error() + ")"
	}
	return text
}

// HTTPStatus returns the status of the response with this error, which is that of its Code unless Status is
// an error status.
func (e *Error) HTTPStatus() int {
	const lastErrorStatus = 599
	if e.Status >= http.StatusBadRequest && e.Status <= lastErrorStatus {
		return e.Status
	}
	return e.Code.Status()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// WithName returns a copy of e with the name of the file. It makes a copy because the application
// may return the same error for many files.
func (e *Error) WithName(name string) *Error {
	clone := *e
	clone.Name = name
	return &clone
}

// WithDefaults returns e with this code and this message where the application has not set its own.
func (e *Error) WithDefaults(code Code, message string) *Error {
	if e.Code != "" && e.Message != "" {
		return e
	}
	result := *e
	result.Code = cmp.Or(e.Code, code)
	result.Message = cmp.Or(e.Message, message)
	return &result
}

// OfApplication returns the first *uploads.Error in err's tree, or nil. Package uploads sets this
// variable, because this package cannot import package uploads.
var OfApplication = func(err error) *Error { return nil }

// Of returns the first [Error] in err's tree, or else the first *uploads.Error, or else nil.
func Of(err error) *Error {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused
	}
	return OfApplication(err)
}

// CodeOf returns the code of the error that [Of] returns, or "" if there is none.
func CodeOf(err error) Code {
	if refused := Of(err); refused != nil {
		return refused.Code
	}
	return ""
}

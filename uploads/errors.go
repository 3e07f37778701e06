package uploads

import (
	"context"
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Code says why a file was refused. The package documentation has the table. The
// JSON of [Service.Handler] contains it.
type Code string

// The codes.
const (
	NoFile          Code = "no_file"
	TooManyFiles    Code = "too_many_files"
	Empty                = Code(rules.Empty)
	TooSmall             = Code(rules.TooSmall)
	TooLarge             = Code(rules.TooLarge)
	WrongSize       Code = "wrong_size"
	TypeNotAllowed       = Code(rules.TypeNotAllowed)
	Damaged              = Code(rules.Damaged)
	ActiveContent        = Code(rules.ActiveContent)
	TooManyPixels        = Code(rules.TooManyPixels)
	InvalidValue    Code = "invalid_value"
	InvalidRequest  Code = "invalid_request"
	InvalidTicket   Code = "invalid_ticket"
	TicketExpired   Code = "ticket_expired"
	NotUploaded     Code = "not_uploaded"
	Finished        Code = "finished"
	NotYours        Code = "not_yours"
	NotAllowed      Code = "not_allowed"
	Unauthenticated Code = "unauthenticated"
	Interrupted     Code = "interrupted"
	StoreFailed     Code = "store_failed"
	Internal        Code = "internal"
)

// meanings has the storage code and the HTTP status of each code.
var meanings = webapi.WithShared(webapi.Meanings[Code]{
	NoFile:         {Storage: storage.InvalidArgument, Status: http.StatusBadRequest},
	TooManyFiles:   {Storage: storage.TooLarge, Status: http.StatusRequestEntityTooLarge},
	Empty:          {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	TooSmall:       {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	WrongSize:      {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	TypeNotAllowed: {Storage: storage.InvalidArgument, Status: http.StatusUnsupportedMediaType},
	Damaged:        {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	ActiveContent:  {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
	TooManyPixels:  {Storage: storage.TooLarge, Status: http.StatusUnprocessableEntity},
	InvalidTicket:  {Storage: storage.PermissionDenied, Status: http.StatusForbidden},
	TicketExpired:  {Storage: storage.InvalidArgument, Status: http.StatusGone},
	NotUploaded:    {Storage: storage.ObjectNotFound, Status: http.StatusConflict},
	Finished:       {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	NotYours:       {Storage: storage.PermissionDenied, Status: http.StatusForbidden},
})

// An Error is the error of every function of this package, except [New] and
// [Service.Handler], which return a *storage.Error.
type Error struct {
	Field   string // of the form or request: the file's field, "token", "parts", "number", "key", or the name of a value
	Code    Code
	Message string // a sentence for the sender of the file, in English
	Name    string // of the file, safe to show; "" if the error is not about one
	Err     error  // a storage.Code, or the *storage.Error that caused it; not for the sender
}

// Error returns a text for logs. The text for people is Message.
func (e *Error) Error() string { return webapi.ErrorText("uploads", e.Field, e.Code, e.Message, e.Err) }

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

func invalidTicket() *Error {
	return refuseField(tokenField, InvalidTicket, "This upload is not yours, or is not known here.")
}

func ticketTooOld() *Error {
	return refuseField(tokenField, TicketExpired, "This upload was started too long ago. Send the file again.")
}

// uploadEnded is the error for an upload in parts that is gone and has no file.
func uploadEnded() *Error {
	return refuseField(tokenField, TicketExpired, "This upload has ended, and there is no file of it. Send the file again.")
}

func refuse(code Code, message string) *Error {
	return &Error{Field: fileField, Code: code, Message: message, Err: meanings.Storage(code)}
}

// refused returns the error for a file that breaks a rule, or nil.
func refused(err error) *Error {
	if r, ok := err.(*rules.Refusal); ok {
		return refuse(Code(r.Code), r.Message)
	}
	return nil
}

func wrongSize() *Error { return refuse(WrongSize, "The length of the file is not the announced one.") }

func refuseField(field string, code Code, message string) *Error {
	e := refuse(code, message)
	e.Field = field
	return e
}

// about sets the name of the file.
func (e *Error) about(name string) *Error {
	e.Name = name
	return e
}

// storeFailed returns the error for an error of the bucket.
func storeFailed(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return &Error{Field: fileField, Code: Interrupted, Message: "The upload was interrupted.", Err: err}
	}
	return &Error{Field: fileField, Code: StoreFailed, Message: "The file could not be stored. Try again in a moment.", Err: err}
}

// unread returns the error for a file that could not be read to judge it.
func unread(ctx context.Context, err error) *Error {
	if ctx.Err() == nil {
		return interrupted(err)
	}
	code := storage.Canceled
	if errors.Is(err, context.DeadlineExceeded) {
		code = storage.DeadlineExceeded
	}
	return &Error{
		Field: fileField, Code: Interrupted, Message: "The upload was interrupted.",
		Err: &storage.Error{Code: code, Op: "uploads", Err: err},
	}
}

// interrupted returns the error for a read error of the sender's stream.
func interrupted(err error) *Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		e := refuse(TooLarge, "The files are too large: together they may have at most "+words.Bytes(tooLarge.Limit)+".")
		return e
	}
	return &Error{
		Field: fileField, Code: Interrupted, Message: "The file did not arrive completely. Try again.",
		Err: &storage.Error{Code: storage.BodyFailed, Err: err},
	}
}

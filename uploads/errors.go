package uploads

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

// A Code says why a file was not taken; the package's documentation has the
// table. It is part of the JSON that Handler answers.
type Code string

// The codes.
const (
	NoFile          Code = "no_file"
	TooManyFiles    Code = "too_many_files"
	Empty           Code = "empty"
	TooSmall        Code = "too_small"
	TooLarge        Code = "too_large"
	WrongSize       Code = "wrong_size"
	TypeNotAllowed  Code = "type_not_allowed"
	Damaged         Code = "damaged"
	ActiveContent   Code = "active_content"
	TooManyPixels   Code = "too_many_pixels"
	InvalidValue    Code = "invalid_value"
	InvalidRequest  Code = "invalid_request"
	InvalidTicket   Code = "invalid_ticket"
	TicketExpired   Code = "ticket_expired"
	NotUploaded     Code = "not_uploaded"
	NotYours        Code = "not_yours"
	NotAllowed      Code = "not_allowed"
	Unauthenticated Code = "unauthenticated"
	Interrupted     Code = "interrupted"
	StoreFailed     Code = "store_failed"
	Internal        Code = "internal"
)

// meanings are a code's storage.Code, where no error of the store says more, and
// its HTTP status.
var meanings = map[Code]struct {
	storage storage.Code
	status  int
}{
	NoFile:          {storage.InvalidArgument, http.StatusBadRequest},
	TooManyFiles:    {storage.TooLarge, http.StatusRequestEntityTooLarge},
	Empty:           {storage.InvalidArgument, http.StatusUnprocessableEntity},
	TooSmall:        {storage.InvalidArgument, http.StatusUnprocessableEntity},
	TooLarge:        {storage.TooLarge, http.StatusRequestEntityTooLarge},
	WrongSize:       {storage.InvalidArgument, http.StatusUnprocessableEntity},
	TypeNotAllowed:  {storage.InvalidArgument, http.StatusUnsupportedMediaType},
	Damaged:         {storage.InvalidArgument, http.StatusUnprocessableEntity},
	ActiveContent:   {storage.InvalidArgument, http.StatusUnprocessableEntity},
	TooManyPixels:   {storage.TooLarge, http.StatusUnprocessableEntity},
	InvalidValue:    {storage.InvalidArgument, http.StatusBadRequest},
	InvalidRequest:  {storage.InvalidArgument, http.StatusBadRequest},
	InvalidTicket:   {storage.PermissionDenied, http.StatusForbidden},
	TicketExpired:   {storage.InvalidArgument, http.StatusGone},
	NotUploaded:     {storage.ObjectNotFound, http.StatusConflict},
	NotYours:        {storage.PermissionDenied, http.StatusForbidden},
	NotAllowed:      {storage.PermissionDenied, http.StatusForbidden},
	Unauthenticated: {storage.Unauthenticated, http.StatusUnauthorized},
	Interrupted:     {storage.BodyFailed, http.StatusBadRequest},
	StoreFailed:     {storage.Unavailable, http.StatusServiceUnavailable},
	Internal:        {storage.Internal, http.StatusInternalServerError},
}

// An Error is every error of this package but New's and Handler's, which are
// *storage.Error.
type Error struct {
	Field   string // of the form: the file's, "token", "key", or the value's name
	Code    Code
	Message string // a sentence for the person who sent the file, in English
	Name    string // the file's, safe to show; "" where it is not about one
	Err     error  // a storage.Code, or the *storage.Error that caused it; not for that person
}

// Error is for logs; Message is for people.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("uploads: ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(string(e.Code) + ": " + e.Message)
	if _, bare := e.Err.(storage.Code); !bare && e.Err != nil {
		b.WriteString(" (" + e.Err.Error() + ")")
	}
	return b.String()
}

// Unwrap is Err.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of the first *Error in err's tree, "" where there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

const fileField = "file" // of what is wrong with the file itself

func refuse(code Code, message string) *Error {
	return &Error{Field: fileField, Code: code, Message: message, Err: meanings[code].storage}
}

func refuseField(field string, code Code, message string) *Error {
	e := refuse(code, message)
	e.Field = field
	return e
}

// about says which file it is.
func (e *Error) about(name string) *Error {
	e.Name = name
	return e
}

// storeFailed is an error of the bucket. Who went away needs no other word.
func storeFailed(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return &Error{Field: fileField, Code: Interrupted, Message: "The upload was interrupted.", Err: err}
	}
	return &Error{Field: fileField, Code: StoreFailed, Message: "The file could not be stored. Try again in a moment.", Err: err}
}

// interrupted is an error of the sender's stream.
func interrupted(err error) *Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		e := refuse(TooLarge, "The files are too large: together they may have "+bytesInWords(tooLarge.Limit)+".")
		return e
	}
	return &Error{
		Field: fileField, Code: Interrupted, Message: "The file did not arrive whole. Try again.",
		Err: &storage.Error{Code: storage.BodyFailed, Err: err},
	}
}

// misconfigured is what New and Handler fail with.
func misconfigured(op, argument, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(argument + " " + rule), Hint: hint}
}

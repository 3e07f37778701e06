package files

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

// A Code says what went wrong; the package's documentation has the table. It is
// part of the JSON that Handler answers.
type Code string

// The codes.
const (
	InvalidValue Code = "invalid_value"
	NotFound     Code = "not_found"
	TooLarge     Code = "too_large"
	PartsChanged Code = "parts_changed"
	Completed    Code = "completed"
	Interrupted  Code = "interrupted"
	StoreFailed  Code = "store_failed"

	InvalidRequest  Code = "invalid_request"
	Unauthenticated Code = "unauthenticated"
	NotAllowed      Code = "not_allowed"
	Internal        Code = "internal"
)

// meanings are a code's storage.Code, where no error of the store says more, and
// its HTTP status.
var meanings = map[Code]struct {
	storage storage.Code
	status  int
}{
	InvalidValue:    {storage.InvalidArgument, http.StatusBadRequest},
	NotFound:        {storage.ObjectNotFound, http.StatusNotFound},
	TooLarge:        {storage.TooLarge, http.StatusRequestEntityTooLarge},
	PartsChanged:    {storage.PreconditionFailed, http.StatusConflict},
	Completed:       {storage.PreconditionFailed, http.StatusConflict},
	Interrupted:     {storage.BodyFailed, http.StatusBadRequest},
	StoreFailed:     {storage.Unavailable, http.StatusServiceUnavailable},
	InvalidRequest:  {storage.InvalidArgument, http.StatusBadRequest},
	Unauthenticated: {storage.Unauthenticated, http.StatusUnauthorized},
	NotAllowed:      {storage.PermissionDenied, http.StatusForbidden},
	Internal:        {storage.Internal, http.StatusInternalServerError},
}

// Storage returns the storage.Code that an Error of this code has if no error of the
// store says more; storage.Internal for a code that is not one of this package.
func (c Code) Storage() storage.Code {
	if m, known := meanings[c]; known {
		return m.storage
	}
	return storage.Internal
}

// An Error is every error of a Store's methods.
type Error struct {
	// Field is what the error is about, by its name in requests and records:
	// "ID", "originalFileName", "MIMEType", "Purpose", "UploadedByUser.ID",
	// "token", "count", "part", "file", "pageToken", "pageSize", "from";
	// "" where it is about none.
	Field   string
	Code    Code
	Message string  // a sentence for the person at the client, in English
	Record  *Record // of Completed: what the token made; nil where that was deleted
	Err     error   // a storage.Code, or the *storage.Error that caused it; not for that person
}

// Error is for logs; Message is for people.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("files: ")
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

func refuse(field string, code Code, message string) *Error {
	return &Error{Field: field, Code: code, Message: message, Err: meanings[code].storage}
}

func invalid(field, message string) *Error { return refuse(field, InvalidValue, message) }

func notFound() *Error { return refuse(fieldID, NotFound, "There is no such file.") }

func tooLarge(limit int64) error {
	return refuse(fieldFile, TooLarge, "The file is too large: at most "+inWords(limit)+".")
}

// failed is an error of the bucket, the records or the sender's stream, as the
// client is to see it.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if own, ok := err.(*Error); ok {
		return own
	}
	if own, ok := errors.AsType[*Error](err); ok && (own.Code == TooLarge || own.Code == StoreFailed) { // of a boundedBody
		return own
	}
	if limit, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit.Limit)
	}
	switch storage.CodeOf(err) {
	case storage.BodyFailed:
		return &Error{Field: fieldFile, Code: Interrupted, Message: "The file did not arrive whole. Try again.", Err: err}
	case storage.Canceled:
		return &Error{Code: Interrupted, Message: "The request was interrupted.", Err: err}
	case storage.TooLarge:
		return &Error{Field: fieldFile, Code: TooLarge, Message: "The file is too large.", Err: err}
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Code: Interrupted, Message: "The request was interrupted.", Err: err}
	}
	return &Error{Code: StoreFailed, Message: "The files cannot be reached. Try again in a moment.", Err: err}
}

// misconfigured is what New fails with.
func misconfigured(argument, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "files.New", Err: errors.New(argument + " " + rule), Hint: hint}
}

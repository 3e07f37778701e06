package files

import (
	"context"
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/internal/words"
)

// A Code says what went wrong. The package documentation has the table. The JSON of
// [Handler] contains it.
type Code string

// The codes.
const (
	InvalidValue Code = "invalid_value"
	NotFound     Code = "not_found"
	TooLarge     Code = "too_large"
	PartsChanged Code = "parts_changed"
	Completed    Code = "completed"
	Refused      Code = "refused"
	Interrupted  Code = "interrupted"
	StoreFailed  Code = "store_failed"

	InvalidRequest  Code = "invalid_request"
	Unauthenticated Code = "unauthenticated"
	NotAllowed      Code = "not_allowed"
	Internal        Code = "internal"
)

// meanings has the storage code and the HTTP status of each code.
var meanings = webapi.WithShared(webapi.Meanings[Code]{
	NotFound:     {Storage: storage.ObjectNotFound, Status: http.StatusNotFound},
	PartsChanged: {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	Completed:    {Storage: storage.PreconditionFailed, Status: http.StatusConflict},
	Refused:      {Storage: storage.InvalidArgument, Status: http.StatusUnprocessableEntity},
})

// Storage returns the [storage.Code] that an [Error] with this code has if no error
// of the store says more. It returns [storage.Internal] if the package does not have
// the code.
func (c Code) Storage() storage.Code { return meanings.Storage(c) }

// An Error is the error of every method of [Store]. Config.Inspect returns one to refuse a file.
type Error struct {
	// Field is what the error is about, by its name in requests and records: "ID",
	// "originalFileName", "MIMEType", "Purpose", "UploadedByUser.ID", "token",
	// "count", "part", "file", "pageToken", "pageSize" or "from". "" means no field.
	Field   string
	Code    Code
	Message string  // a sentence for the user of the client, in English
	Record  *Record // of Completed: the record that the token made; nil if it was deleted
	Err     error   // a storage.Code, or the *storage.Error that caused it; not for users
}

// Error returns a text for logs. The text for people is Message.
func (e *Error) Error() string { return webapi.ErrorText("files", e.Field, e.Code, e.Message, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's tree, or "".
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

func refuse(field string, code Code, message string) *Error {
	return &Error{Field: field, Code: code, Message: message, Err: meanings.Storage(code)}
}

func invalid(field, message string) *Error { return refuse(field, InvalidValue, message) }

func notFoundError() *Error { return refuse(fieldID, NotFound, "There is no such file.") }

func tooLargeError(limit int64) error {
	return refuse(fieldFile, TooLarge, "The file is too large: at most "+words.Bytes(limit)+".")
}

// toError converts an error of the bucket, the records or the sender's stream.
func toError(err error) error {
	if err == nil {
		return nil
	}
	if own, ok := err.(*Error); ok {
		return own
	}
	if own, ok := errors.AsType[*Error](err); ok && (own.Code == TooLarge || own.Code == StoreFailed) { // of a body that is bounded
		return own
	}
	if limit, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLargeError(limit.Limit)
	}
	switch storage.CodeOf(err) {
	case storage.BodyFailed:
		return &Error{Field: fieldFile, Code: Interrupted, Message: "The file did not arrive completely. Try again.", Err: err}
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

package refusal

import (
	"context"
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/rules"
)

// The fields of errors that are not about a field of the request.
const (
	FileField  = "file"  // the file itself
	TokenField = "token" // the ticket, or the upload in pieces
)

// InternalMessage is the message of errors that the sender cannot mend.
const InternalMessage = "Something went wrong here. Try again in a moment."

// New returns an Error that wraps the storage code of code.
func New(field string, code Code, message string) *Error {
	return &Error{Field: field, Code: code, Message: message, Err: code.Storage()}
}

// OfFile returns an error about the file itself.
func OfFile(code Code, message string) *Error { return New(FileField, code, message) }

// ByRules returns the error for a file that breaks a rule, or nil if err is not a [rules.Refusal].
func ByRules(err error) *Error {
	if r, ok := err.(*rules.Refusal); ok {
		return OfFile(Code(r.Code), r.Message)
	}
	return nil
}

// Internal returns the error for a failure that the sender cannot mend.
func Internal(err error) *Error {
	return &Error{Code: CodeInternal, Message: InternalMessage, Err: err}
}

// WrongSize returns the error for a file whose length is not the announced one.
func WrongSize() *Error {
	return OfFile(CodeWrongSize, "The length of the file is not the announced one.")
}

// NoFile returns the error for a request without a file.
func NoFile() *Error { return OfFile(CodeNoFile, "There is no file.") }

// TooLarge returns the error for a file of more than limit bytes.
func TooLarge(field string, limit int64) *Error {
	return New(field, CodeTooLarge, "The file is too large: at most "+words.Bytes(limit)+" are allowed.")
}

// Invalid returns the error for an invalid value of a field.
func Invalid(field, message string) *Error { return New(field, CodeInvalidValue, message) }

// WrongType returns the error for a request of another media type.
func WrongType(message string) *Error {
	err := New("Content-Type", CodeInvalidRequest, message)
	err.Status = http.StatusUnsupportedMediaType
	return err
}

// NotFound returns the error for an upload that does not exist, has expired, was aborted, or
// belongs to another user.
func NotFound() *Error {
	return New("uploadId", CodeNotFound, "There is no such upload. It may have expired: start again.")
}

// Exists returns the error for a key that another object has.
func Exists() *Error { return New("key", CodeExists, "There is a file of this name already.") }

// BeingCompleted returns the error for an upload that another call completes now.
func BeingCompleted() *Error {
	return New("uploadId", CodeLocked, "This upload is being completed. Try again in a moment.")
}

// Busy returns the error for a request for which there is no memory.
func Busy(err error) *Error {
	return &Error{Code: CodeBusy, Message: "Too many files arrive at once. Try again in a moment.", Err: err}
}

// Unsupported returns the error for an upload that the bucket can never store.
func Unsupported(err error) *Error {
	return &Error{
		Code:    CodeInternal,
		Status:  http.StatusNotImplemented,
		Message: "This file cannot be stored here.",
		Err:     err,
	}
}

// Unauthorized returns the error for the client after a function of the application has failed with err.
func Unauthorized(err error) *Error {
	if refused := Of(err); refused != nil {
		return refused.WithDefaults(CodeNotAllowed, "You may not do this.")
	}
	code, message := webserver.AuthorizeError[Code](err)
	return &Error{Code: code, Message: message, Err: err}
}

// StoreFailed converts an error of the bucket to the error for the client. An error that is one already stays
// as it is.
func StoreFailed(err error) *Error {
	if refused := Of(err); refused != nil {
		return refused
	}

	// The body of an upload comes from the client, and that of a copy from the store.
	code := storage.CodeOf(err)
	if code == storage.BodyFailed && !isOfCopy(err) {
		return &Error{Field: FileField, Code: CodeInterrupted, Message: "The upload was interrupted.", Err: err}
	}
	if code == storage.TooLarge {
		return &Error{Field: FileField, Code: CodeTooLarge, Message: "The file is larger than the store allows.", Err: err}
	}
	if errors.Is(err, context.Canceled) {
		// Usually the server is stopping. After 503, a client repeats its request.
		return &Error{
			Field:   FileField,
			Code:    CodeInterrupted,
			Status:  http.StatusServiceUnavailable,
			Message: "The server is stopping. Try again in a moment.",
			Err:     err,
		}
	}
	return &Error{
		Field:   FileField,
		Code:    CodeStoreFailed,
		Message: "The file could not be stored. Try again in a moment.",
		Err:     err,
	}
}

// isOfCopy reports whether err is the error of a copy, which reads the body from the store and not from the sender.
func isOfCopy(err error) bool {
	storageErr, ok := errors.AsType[*storage.Error](err)
	return ok && (storageErr.Op == "Copy" || storageErr.Op == "Compose")
}

// UploadFailed converts an error of a multipart upload in the store. If that upload no longer exists, the
// client gets NotFound.
func UploadFailed(err error) *Error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return NotFound()
	}
	return StoreFailed(err)
}

// ReadFailed returns the error for a file whose beginning could not be read, to be checked, because of err.
func ReadFailed(ctx context.Context, err error) *Error {
	if ctx.Err() == nil {
		return Interrupted(err)
	}
	// The reader reports the end of the context as an error of its own.
	return StoreFailed(&storage.Error{Code: argument.ContextCode(ctx.Err()), Op: "uploads", Err: ctx.Err()})
}

// Interrupted returns the error for a body of the sender that could not be read because of err.
func Interrupted(err error) *Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return OfFile(CodeTooLarge,
			"The files are too large: together they may have at most "+words.Bytes(tooLarge.Limit)+".")
	}
	return &Error{
		Field:   FileField,
		Code:    CodeInterrupted,
		Message: "The file did not arrive completely. Try again.",
		Err:     &storage.Error{Code: storage.BodyFailed, Err: err},
	}
}

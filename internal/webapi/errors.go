// Package webapi has what the HTTP APIs of packages files and uploads share: the
// meaning of their error codes, the texts of errors and JSON responses.
package webapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

// A Meaning is the [storage.Code] of an error code, if no error of the store says
// more, and its HTTP status.
type Meaning struct {
	Storage storage.Code
	Status  int
}

// Meanings has the error codes of one API. C is the package's own Code.
type Meanings[C ~string] map[C]Meaning

// The error codes that every API has.
const (
	invalidValue    = "invalid_value"
	tooLarge        = "too_large"
	interrupted     = "interrupted"
	storeFailed     = "store_failed"
	invalidRequest  = "invalid_request"
	unauthenticated = "unauthenticated"
	notAllowed      = "not_allowed"
	internal        = "internal"
)

var shared = map[string]Meaning{
	invalidValue:    {storage.InvalidArgument, http.StatusBadRequest},
	tooLarge:        {storage.TooLarge, http.StatusRequestEntityTooLarge},
	interrupted:     {storage.BodyFailed, http.StatusBadRequest},
	storeFailed:     {storage.Unavailable, http.StatusServiceUnavailable},
	invalidRequest:  {storage.InvalidArgument, http.StatusBadRequest},
	unauthenticated: {storage.Unauthenticated, http.StatusUnauthorized},
	notAllowed:      {storage.PermissionDenied, http.StatusForbidden},
	internal:        {storage.Internal, http.StatusInternalServerError},
}

// WithShared returns own with the codes added that every API has.
func WithShared[C ~string](own Meanings[C]) Meanings[C] {
	for code, meaning := range shared {
		own[C(code)] = meaning
	}
	return own
}

// Storage returns the storage code of code, [storage.Internal] if the API does not
// have code.
func (m Meanings[C]) Storage(code C) storage.Code {
	if meaning, known := m[code]; known {
		return meaning.Storage
	}
	return storage.Internal
}

// Status returns the HTTP status of code. A code that the API does not have is one
// of the application's own Authorize, and 403.
func (m Meanings[C]) Status(code C) int {
	if meaning, known := m[code]; known {
		return meaning.Status
	}
	return http.StatusForbidden
}

// ErrorText returns the text of an error for logs. A cause that is a bare
// [storage.Code] is left out.
func ErrorText[C ~string](pkg, field string, code C, message string, cause error) string {
	var b strings.Builder
	b.WriteString(pkg + ": ")
	if field != "" {
		b.WriteString(field + ": ")
	}
	b.WriteString(string(code) + ": " + message)
	if _, bare := cause.(storage.Code); !bare && cause != nil {
		b.WriteString(" (" + cause.Error() + ")")
	}
	return b.String()
}

// FromAuthorize returns the code and the message for an error that the
// application's own Authorize returned.
func FromAuthorize[C ~string](err error) (code C, message string) {
	switch storage.CodeOf(err) {
	case storage.Unauthenticated:
		return unauthenticated, "Sign in first."
	case storage.PermissionDenied:
		return notAllowed, "You may not do this."
	}
	return internal, "Something went wrong here. Try again in a moment."
}

// Misconfigured returns the error of a set-up function whose argument breaks a rule.
func Misconfigured(op, argument, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(argument + " " + rule), Hint: hint}
}

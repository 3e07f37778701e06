package uploads

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
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
)

// Storage returns the [storage.Code] that belongs to c. If c is not a code of this package, Storage
// returns [storage.Internal].
//
// For an [Error] with the code c, [storage.CodeOf] returns the same storage.Code. If the store
// caused the Error, storage.CodeOf returns the code of the store's error instead.
func (c Code) Storage() storage.Code { return refusal.Code(c).Storage() }

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
}

// Error returns a text for logs. For a text that is shown to people, use Message. If Err is only a
// [storage.Code], the text does not contain it.
func (e *Error) Error() string { return e.refusal().Error() }

// HTTPStatus returns the status of the response with this error. If Status is not an error status,
// it returns the status of Code, or 403 if Code is not of this package.
func (e *Error) HTTPStatus() int { return e.refusal().HTTPStatus() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's tree. If there is none, it returns "".
func CodeOf(err error) Code {
	if uploadErr, ok := errors.AsType[*Error](err); ok {
		return uploadErr.Code
	}
	return ""
}

// refusal converts e to the type that the internal packages use.
func (e *Error) refusal() *refusal.Error {
	return &refusal.Error{
		Field:   e.Field,
		Code:    refusal.Code(e.Code),
		Message: e.Message,
		Name:    e.Name,
		Status:  e.Status,
		Err:     e.Err,
	}
}

// Package refusal cannot import this one, so it recognizes the errors of the application by a function.
func init() {
	refusal.OfApplication = func(err error) *refusal.Error {
		if uploadErr, ok := errors.AsType[*Error](err); ok {
			return uploadErr.refusal()
		}
		return nil
	}
}

// publicError converts the refusal in err's tree to an *Error, or returns err if there is none.
func publicError(err error) error {
	refused := refusal.Of(err)
	if refused == nil {
		return err
	}
	return &Error{
		Field:   refused.Field,
		Code:    Code(refused.Code),
		Message: refused.Message,
		Name:    refused.Name,
		Status:  refused.Status,
		Err:     refused.Err,
	}
}

// publicFileError returns the *Error about the file with this name for err, which is a refusal or an error of the
// store.
func publicFileError(err error, name string) error {
	return publicError(refusal.StoreFailed(err).WithName(name))
}

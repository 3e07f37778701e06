// Package webapi has functions that the HTTP APIs of packages uploads and filesapi share. They set
// request IDs, write JSON responses, and translate errors.
package webapi

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// FromAuthorize returns the error code and the message that a client receives when the
// application's function Authorize has failed with err.
func FromAuthorize[C ~string](err error) (C, string) {
	code := storage.CodeOf(err)
	switch {
	case code == storage.Unauthenticated:
		return "unauthenticated", "Sign in first."
	case code == storage.PermissionDenied:
		return "not_allowed", "You may not do this."
	case code == storage.Unavailable ||
		code == storage.RateLimited ||
		errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled):
		return "busy", "This does not work just now. Try again in a moment."
	}
	return "internal", "Something went wrong here. Try again in a moment."
}

// Misconfigured returns the error for a function such as New whose argument breaks a rule.
func Misconfigured(op, argument, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(argument + " " + rule), Hint: hint}
}

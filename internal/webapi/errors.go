// Package webapi has what the HTTP APIs of packages uploads and filesapi share: IDs of requests, JSON
// responses, and errors of what the application gives them.
package webapi

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// FromAuthorize returns the code and the message for an error that the application's own Authorize
// returned.
func FromAuthorize[C ~string](err error) (C, string) {
	switch code := storage.CodeOf(err); {
	case code == storage.Unauthenticated:
		return "unauthenticated", "Sign in first."
	case code == storage.PermissionDenied:
		return "not_allowed", "You may not do this."
	case code == storage.Unavailable,
		code == storage.RateLimited,
		errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled):
		return "busy", "This does not work just now. Try again in a moment."
	}
	return "internal", "Something went wrong here. Try again in a moment."
}

// Misconfigured returns the error of a set-up function whose argument breaks a rule.
func Misconfigured(op, argument, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New(argument + " " + rule), Hint: hint}
}

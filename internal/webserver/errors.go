package webserver

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// AuthorizeError returns the error code and the message for a client when the application's
// function Authorize has failed with err.
func AuthorizeError[C ~string](err error) (C, string) {
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

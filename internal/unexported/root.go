// Package unexported has what the root package does not export, and what the engine needs of it.
package unexported

import (
	"context"
	"io"
	"net/url"
)

// Root has what the engine needs of package storage and what that does not export. Its init sets it.
// A value of one of its types is an any or an error here.
var Root struct {
	ErrorState func(err error) *ErrorState                // takes an *Error
	OwnError   func(err error) error                      // an *Error of its own for any error
	AsError    func(ctx context.Context, err error) error // OwnError, or what ended ctx
	BodyFailed func(err error) error

	// Need returns Unsupported for a value that is not a bucket of package storage, and nil for one that is. The
	// error is about an operation and a key.
	Need func(b any, op, key string) error

	// Changed reports whether two reads of an object have seen different ones. Both are *Attrs.
	Changed func(first, now any) bool
	// InitReader makes r the *Reader of an open download.
	InitReader func(r any, from ReadSource, attrs any, offset, length int64)

	OpenOptions func(opts any) *OpenOptions      // takes []OpenOption
	OpenOption  func(set func(*OpenOptions)) any // an OpenOption
	Register    func(scheme string, o Opener)
	// CheckAddress checks the scheme and the parameters of an address, and opens nothing.
	CheckAddress func(address string) error
	OpenDriver   func(ctx context.Context, address string) (any, error) // calls Opener.Driver
}

// A ReadSource delivers a Reader's bytes.
type ReadSource interface {
	io.ReadCloser
	io.WriterTo
}

// An OpenFunc opens what has an address. opts is []storage.OpenOption.
type OpenFunc func(ctx context.Context, address *url.URL, opts any) (any, error)

// An Opener opens what has an address of one scheme. A function that is nil is not supported.
type Opener struct {
	Params  []string // the provider's own query parameters
	Bucket  OpenFunc
	Service OpenFunc
	Driver  func(ctx context.Context, address *url.URL) (any, error) // opens an account
}

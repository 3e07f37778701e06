// Package seam has what the engine needs from the root package, but the root package does not export. The init
// function of the root package sets both functions. The reason for each is in
// docs/maintainers/decisions/front-and-core.md.
package seam

import "io"

// StateOf returns the state of err, which is an *Error of the root package.
var StateOf func(err error) *ErrorState

// InitReader makes r, which is a *Reader, the Reader of an open download. attrs is an *Attrs. Because r is
// filled in place, a Reader costs no allocation of its own.
var InitReader func(r any, from ReadSource, attrs any, offset, length int64)

// A ReadSource delivers a Reader's bytes.
type ReadSource interface {
	io.ReadCloser
	io.WriterTo
}

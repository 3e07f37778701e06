// Package seam has what the engine needs of the root package and that does not export. The init of the root sets both
// functions. docs/maintainers/decisions/front-and-core.md has the reason for each.
package seam

import "io"

// StateOf takes an *Error of the root package.
var StateOf func(err error) *ErrorState

// InitReader makes r, a *Reader, that of an open download. attrs is an *Attrs. Made in place, a Reader costs no
// allocation of its own.
var InitReader func(r any, from ReadSource, attrs any, offset, length int64)

// A ReadSource delivers a Reader's bytes.
type ReadSource interface {
	io.ReadCloser
	io.WriterTo
}

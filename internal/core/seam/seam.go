// Package seam gives the engine access to functions of the root package that are not exported. The
// init function of the root package sets the variables. For the reason for each, see
// docs/maintainers/decisions/front-and-core.md.
package seam

import (
	"io"

	"github.com/omnibucket/storage/internal/core/buffer"
)

// StateOf returns the [ErrorState] of err, which must be an *Error of the root package.
var StateOf func(err error) *ErrorState

// OptionsOf returns the [OptionState] of o, which is a pointer to UploadOptions, CopyOptions, Transfer,
// DownloadOptions or ListOptions of the root package.
var OptionsOf func(o any) *OptionState

// InitReader turns r into the Reader of an open download. r is a *Reader and attrs is an *Attrs of
// the root package. The function fills r in place, so that r can be a field of another value and
// needs no allocation.
var InitReader func(r any, from ReadSource, attrs any, offset, length int64)

// SourceCore returns the Core whose object a copy reads. It returns nil if the source is not a Core.
// from is a pointer to a CopySource of the root package.
var SourceCore func(from any) any

// LimitOf returns the limit that a *BufferLimit of the root package sets.
var LimitOf func(limit any) *buffer.Limit

// A ReadSource delivers the bytes that a Reader of the root package returns.
type ReadSource interface {
	io.ReadCloser
	io.WriterTo
}

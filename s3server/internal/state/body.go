package state

import (
	"cmp"
	"errors"
	"io"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A Body reads the body of a request. At the end of the body, it fails if the body differs from
// what the headers announce.
type Body struct {
	From       io.Reader
	Size       int64            // bytes; -1 if the size is not announced
	Digest     *checksum.Digest // complete at the end of the body
	Check      func() error
	isFinished bool
	Failed     error // error of the body itself, or nil
}

// Read reads from the body. At the end of the body, or once it is longer than announced, Read returns the
// error of Check, if there is one.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.From.Read(p)
	if err == nil {
		isTooLong := b.Size >= 0 && b.Digest.Size > b.Size
		if !isTooLong {
			return n, nil
		}
		// End the body here, so that Check fails.
		err = io.EOF
	}
	b.end(err)
	return n, b.Cause(err)
}

// end sets b.Failed after the body has ended with err, unless it is already set. It calls Check only
// once, at io.EOF.
func (b *Body) end(err error) {
	if b.Failed != nil {
		return
	}
	if err != io.EOF {
		b.Failed = bodyError(err)
		return
	}
	if !b.isFinished {
		b.isFinished = true
		b.Failed = b.Check()
	}
}

// Cause returns the error of the body if the body has failed. Otherwise it returns err.
func (b *Body) Cause(err error) error { return cmp.Or(b.Failed, err) }

// bodyError converts an error of reading a body to an S3 error. Any error but an S3 error means that
// the client has disconnected, and becomes IncompleteBody.
func bodyError(err error) error {
	if failure, ok := errors.AsType[*s3error.Error](err); ok && failure.Code != "InternalError" {
		return failure
	}
	return s3error.New("IncompleteBody").WithMessage("%v", err)
}

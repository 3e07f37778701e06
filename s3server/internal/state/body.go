package state

import (
	"cmp"
	"errors"
	"io"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A Body is the body of a request. At its end it fails if it differs from what the headers
// announce.
type Body struct {
	From   io.Reader
	Size   int64            // -1 if it is not announced
	Digest *checksum.Digest // complete at the end
	Check  func() error
	ended  bool
	Failed error // the body's own error, if it has failed
}

// Read returns the error of Check at the end.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.From.Read(p)
	if err == nil {
		if b.Size < 0 || b.Digest.Size <= b.Size {
			return n, nil
		}
		err = io.EOF // the body is too long: the rest does not matter
	}
	switch {
	case b.Failed != nil:
	case err != io.EOF:
		b.Failed = bodyError(err)
	case !b.ended:
		b.ended, b.Failed = true, b.Check()
	}
	if b.Failed != nil {
		err = b.Failed
	}
	return n, err
}

// Blame returns the body's own error if it has failed, and else err.
func (b *Body) Blame(err error) error { return cmp.Or(b.Failed, err) }

// bodyError distinguishes a client that disconnected from an error in this server.
func bodyError(err error) error {
	if e, ok := errors.AsType[*s3error.Error](err); ok && e.Code != "InternalError" {
		return e
	}
	return s3error.New("IncompleteBody").WithMessage("%v", err)
}

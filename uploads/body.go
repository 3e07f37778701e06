package uploads

import (
	"io"

	"github.com/omnibucket/storage/internal/webapi"
)

// bounds limits the length of a file, in bytes.
type bounds struct {
	min, max int64
	claimed  int64 // 0: not known
}

// bounds returns the service's bounds, with the length that the sender claims.
func (s *Service) bounds(claimed int64) bounds {
	return bounds{min: s.config.MinSize, max: s.config.MaxSize, claimed: max(claimed, 0)}
}

// checkClaim checks only the claimed length.
func (b bounds) checkClaim() *Error {
	if b.claimed == 0 {
		return nil
	}
	return bounds{min: b.min, max: b.max}.check(b.claimed)
}

// check checks the length n of a file.
func (b bounds) check(n int64) *Error {
	switch {
	case n == 0:
		return refuse(Empty, "The file is empty.")
	case b.claimed > 0 && n != b.claimed:
		return refuse(WrongSize, "The length of the file is not the announced one.")
	case n > b.max:
		return refuse(TooLarge, "The file is too large: at most "+webapi.Bytes(b.max)+" are allowed.")
	case n < b.min:
		return refuse(TooSmall, "The file is too small: at least "+webapi.Bytes(b.min)+" are needed.")
	}
	return nil
}

// limit returns the length after which a stream is too long.
func (b bounds) limit() int64 {
	if b.claimed > 0 {
		return min(b.claimed, b.max)
	}
	return b.max
}

// A body is a file that streams into the store. It fails as soon as the file is too
// long, and at its end if it is too short, so that nothing is stored.
type body struct {
	from    io.Reader
	bounds  bounds
	read    int64
	refused *Error
}

func (b *body) Read(p []byte) (int, error) {
	if b.refused != nil {
		return 0, b.refused
	}
	n, err := b.from.Read(p)
	b.read += int64(n)
	switch {
	case b.read > b.bounds.limit():
		b.refused = b.bounds.check(b.read)
	case err == io.EOF:
		b.refused = b.bounds.check(b.read)
	case err != nil:
		b.refused = interrupted(err)
	}
	if b.refused != nil {
		return 0, b.refused
	}
	return n, err
}

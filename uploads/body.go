package uploads

import (
	"io"

	"github.com/omnibucket/storage/uploads/rules"
)

// bounds limits the length of a file.
type bounds struct {
	judge   *rules.Judge
	claimed int64 // bytes; 0: not known
}

// newBounds returns the bounds of the rules, with the length that the sender claims.
func newBounds(judge *rules.Judge, claimed int64) bounds { return bounds{judge, max(claimed, 0)} }

// checkClaim checks only the claimed length.
func (b bounds) checkClaim() *Error {
	if b.claimed == 0 {
		return nil
	}
	return refused(b.judge.CheckSize(b.claimed))
}

// check checks the length n of a file.
func (b bounds) check(n int64) *Error {
	if n > 0 && b.claimed > 0 && n != b.claimed {
		return wrongSize()
	}
	return refused(b.judge.CheckSize(n))
}

// limit returns the length after which a stream is too long.
func (b bounds) limit() int64 {
	if most := b.judge.Rules().MaxSize; b.claimed == 0 || b.claimed > most {
		return most
	}
	return b.claimed
}

// A body is a file that streams into the store. It fails as soon as the file is too
// long, and at its end if it is too short, so that nothing is stored.
type body struct {
	from    io.Reader
	bounds  bounds
	limit   int64 // of bounds
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
	case b.read > b.limit:
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

package uploads

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodylimit"
	"github.com/omnibucket/storage/uploads/rules"
)

// bounds limits the length of a file.
type bounds struct {
	judge   *rules.Judge
	claimed int64 // bytes; 0 means not known
	most    int64 // bytes that the application permits; 0 means the limit of the rules
}

// newBounds returns the bounds of the rules, with the length that the sender claims.
func newBounds(judge *rules.Judge, claimed int64) bounds {
	return bounds{judge: judge, claimed: max(claimed, 0)}
}

func (b bounds) checkClaim() *Error {
	if b.claimed == 0 {
		return nil
	}
	return b.check(b.claimed)
}

// check checks the length n of a file.
func (b bounds) check(n int64) *Error {
	if n > 0 && b.claimed > 0 && n != b.claimed {
		return wrongSize()
	}
	if b.most > 0 && n > b.most {
		return tooLarge(fileField, b.most)
	}
	return refused(b.judge.CheckSize(n))
}

// limit returns the length after which a stream is too long.
func (b bounds) limit() int64 {
	most := b.judge.Rules().MaxSize
	for _, n := range []int64{b.most, b.claimed} {
		if n > 0 {
			most = min(most, n)
		}
	}
	return most
}

// A body is a file that streams into the store. It fails as soon as the file is too
// long, and at its end if it is too short, so that nothing is stored.
type body struct {
	from    io.Reader
	bounds  bounds
	limit   int64 // limit of the bounds
	read    int64
	refused *Error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.read += int64(n)
	switch {
	case b.read > b.limit, err == io.EOF:
		b.refused = b.bounds.check(b.read)
	case err != nil:
		b.refused = interrupted(err)
	}
	if b.refused != nil {
		return 0, b.refused
	}
	return n, err
}

// bounded returns a reader of a piece that fails if all pieces together would be larger than the file
// may be. Only a piece that is larger than its share needs the sizes of the others.
func (u *putPiece) bounded(ctx context.Context, s *session) (io.Reader, error) {
	limit := u.service.limit(&s.Target)
	if limit == 0 {
		return u.piece.Body, nil
	}
	share := limit / int64(u.piece.Count)
	left, known := bodylimit.Length(u.piece.Body)
	if known && left <= share {
		return u.piece.Body, nil
	}
	b := &bodylimit.Reader{
		Body: u.piece.Body, Left: share, TooLarge: tooLarge(fileField, limit),
		More: func() (int64, error) {
			others, err := u.others(ctx)
			if err != nil {
				return 0, storeFailed(err)
			}
			return limit - others - share, nil
		},
	}
	if known { // kept, so that a store that sends the body again need not ask again
		if err := b.Ask(); err != nil || left <= b.Left {
			return u.piece.Body, err
		}
	}
	return b, nil
}

// others returns the size of all pieces but this one.
func (u *putPiece) others(ctx context.Context) (size int64, err error) {
	own := u.key(u.piece.Number)
	for entry, err := range u.service.bucket.List(ctx, storage.WithPrefix(u.prefix)) {
		if err != nil {
			return 0, err
		}
		if entry.Key != own {
			size += entry.Size
		}
	}
	return size, nil
}

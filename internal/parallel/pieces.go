package parallel

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// PieceSize is how many bytes of an object are one piece of a copy, where
	// nothing else decides.
	PieceSize = 256 << 20

	piecesAtOnce  = 8 // copies under way at once: the store does the work
	pieceAttempts = 3 // of one piece: with the core's retrying alone, one failure of 10,000 would begin them all anew
	pieceDelay    = 200 * time.Millisecond
)

// Pieces is Each of an object's pieces that the store copies. A piece is tried
// again where its error is Retryable.
func Pieces(ctx context.Context, n int, copyPiece func(ctx context.Context, i int) error) error {
	return Each(ctx, n, piecesAtOnce, func(ctx context.Context, i int) error {
		for attempt := 1; ; attempt++ {
			err := copyPiece(ctx, i)
			var e *storage.Error
			if err == nil || attempt == pieceAttempts || !errors.As(err, &e) || !e.Retryable || !sleep(ctx, max(pieceDelay<<attempt, e.RetryAfter)) {
				return err
			}
		}
	})
}

// sleep is false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package azure

import (
	"context"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
)

const (
	standardPiece = 256 << 20 // bytes of one Put Block From URL
	piecesAtOnce  = 8         // copies under way at once: the store does the work
	pieceAttempts = 3         // of one piece: with the core's retrying alone, one failure of 10,000 would begin them all anew
	pieceDelay    = 200 * time.Millisecond
)

// A piece is a range of a source that becomes a block.
type piece struct {
	ref  storage.ObjectRef
	from copySource
	span blob.HTTPRange
}

// cut adds the pieces of a source to those before it. More than a blob has
// blocks are Unsupported.
func (d *driver) cut(pieces []piece, size int64, ref storage.ObjectRef, from copySource) ([]piece, error) {
	length := max(orDefault(d.copyBlock, standardPiece), (size+maxBlocks-1)/maxBlocks)
	for at := int64(0); at < size; at += length {
		if len(pieces) == maxBlocks {
			return nil, storage.Unsupported
		}
		pieces = append(pieces, piece{ref, from, blob.HTTPRange{Offset: at, Count: min(length, size-at)}})
	}
	return pieces, nil
}

// join makes an object of pieces. What fails leaves blocks behind that nobody
// sees, as AbortParts says.
func (d *driver) join(ctx context.Context, pieces []piece, c *commit) (*storage.Attrs, error) {
	upload := newUpload()
	ids := make([]string, len(pieces))
	for i := range pieces {
		id, err := blockID(upload, i+1)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	if err := d.copyPieces(ctx, c.key, ids, pieces); err != nil {
		return nil, err
	}
	attrs, err := d.commit(ctx, ids, c)
	if err != nil {
		return nil, err
	}
	attrs.CRC32C = c.crc
	return attrs, nil
}

// copyPieces copies all pieces, some at a time, and stops at the first failure.
func (d *driver) copyPieces(ctx context.Context, key string, ids []string, pieces []piece) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, piecesAtOnce)
	var group sync.WaitGroup
	for i := range pieces {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			if err := d.copyPiece(ctx, key, ids[i], &pieces[i]); err != nil {
				cancel(err) // the first alone has an effect
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// copyPiece is one Put Block From URL, tried again where it fails in passing.
func (d *driver) copyPiece(ctx context.Context, key, id string, p *piece) error {
	o := &blockblob.StageBlockFromURLOptions{
		Range:                          p.span,
		CopySourceAuthorization:        set(p.from.authorization),
		SourceModifiedAccessConditions: sourceCondition(p.ref.Revision),
	}
	for attempt := 1; ; attempt++ {
		_, err := d.blob(key).StageBlockFromURL(d.once(ctx), id, p.from.address, o)
		if err == nil {
			return nil
		}
		e := asError(d.copyFailed(ctx, translate(err), p.ref, storage.Condition{}))
		if !e.Retryable || attempt == pieceAttempts || !sleep(ctx, max(pieceDelay<<attempt, e.RetryAfter)) {
			return e
		}
	}
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

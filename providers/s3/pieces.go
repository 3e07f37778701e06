package s3

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
)

const (
	standardPiece = 256 << 20        // bytes of one UploadPartCopy
	piecesAtOnce  = 8                // copies under way at once: the store does the work
	abortTimeout  = 30 * time.Second // of what is given back after a failure
	pieceAttempts = 3                // of one piece: with the core's retrying alone, one failure of 10,000 would begin them all anew
	pieceDelay    = 200 * time.Millisecond
)

// A piece is a range of a source that becomes a part.
type piece struct {
	source storage.ObjectRef
	span   string // of bytes; "" is all
}

// cut makes pieces of one size, but for the last, of a source.
func cut(source storage.ObjectRef, size, length int64) []piece {
	if size <= length {
		return []piece{{source: source}}
	}
	var pieces []piece
	for from := int64(0); from < size; from += length {
		pieces = append(pieces, piece{source, fmt.Sprintf("bytes=%d-%d", from, min(from+length, size)-1)})
	}
	return pieces
}

// copyParts copies what is too large for CopyObject. Nothing is copied but the
// bytes: all attributes are said again.
func (d *driver) copyParts(ctx context.Context, r *storage.CopyRequest, size int64) (*storage.Attrs, error) {
	most := int64(d.profile.partsLimit())
	length := max(orDefault(d.copyPart, standardPiece), (size+most-1)/most)
	return d.join(ctx, &storage.ComposeRequest{
		Key:        r.Key,
		Properties: r.Properties,
		PublicRead: r.PublicRead,
		Condition:  r.Condition,
	}, cut(r.Source, size, length))
}

// join makes an object of pieces. What fails leaves no upload behind.
func (d *driver) join(ctx context.Context, r *storage.ComposeRequest, pieces []piece) (*storage.Attrs, error) {
	sums := ChecksumNone // what is copied is the store's to sum up
	if d.profile.CopiedSums {
		sums = ChecksumFullObject
	}
	upload, err := d.begin(ctx, r.Key, &r.Properties, r.PublicRead, sums)
	if err != nil {
		return nil, err
	}
	parts, err := d.copyPieces(ctx, r.Key, upload, pieces)
	var attrs *storage.Attrs
	if err == nil {
		in := &awss3.CompleteMultipartUploadInput{
			Bucket:          d.name(),
			Key:             &r.Key,
			UploadId:        &upload,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		}
		_, in.ChecksumType = sums.ofParts()
		attrs, err = d.complete(ctx, in, r.Condition)
	}
	if err != nil && !asError(err).Unknown {
		d.abandon(ctx, r.Key, upload)
	}
	return attrs, err
}

// abandon gives the parts back on a context of its own: the caller's is often
// done by then.
func (d *driver) abandon(ctx context.Context, key, upload string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_ = d.AbortParts(ctx, key, upload) // the failure before it is what the caller must know
}

// copyPieces copies all pieces, some at a time, and stops at the first failure.
func (d *driver) copyPieces(ctx context.Context, key, upload string, pieces []piece) ([]types.CompletedPart, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := make([]types.CompletedPart, len(pieces))
	slots := make(chan struct{}, piecesAtOnce)
	var group sync.WaitGroup
	for i, p := range pieces {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			part, err := d.copyPiece(ctx, key, upload, i+1, p)
			if err != nil {
				cancel(err) // the first alone has an effect
				return
			}
			parts[i] = part
		})
	}
	group.Wait()
	return parts, context.Cause(ctx)
}

// copyPiece is one UploadPartCopy, tried again where it fails in passing.
func (d *driver) copyPiece(ctx context.Context, key, upload string, number int, p piece) (types.CompletedPart, error) {
	in := &awss3.UploadPartCopyInput{
		Bucket:            d.name(),
		Key:               &key,
		UploadId:          &upload,
		PartNumber:        aws.Int32(int32(number)),
		CopySource:        copySource(p.source),
		CopySourceIfMatch: set(p.source.Revision),
		CopySourceRange:   set(p.span),
	}
	for attempt := 1; ; attempt++ {
		out, err := d.client.UploadPartCopy(ctx, in)
		if err == nil {
			return completedCopy(number, out), nil
		}
		e := asError(d.copyFailed(ctx, err, p.source, storage.Condition{}))
		if !e.Retryable || attempt == pieceAttempts || !sleep(ctx, max(pieceDelay<<attempt, e.RetryAfter)) {
			return types.CompletedPart{}, e
		}
	}
}

func completedCopy(number int, out *awss3.UploadPartCopyOutput) types.CompletedPart {
	part := types.CompletedPart{PartNumber: aws.Int32(int32(number))}
	if result := out.CopyPartResult; result != nil {
		part.ETag, part.ChecksumCRC32C = result.ETag, result.ChecksumCRC32C
	}
	return part
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

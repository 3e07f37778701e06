package s3

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/copyparts"
	"github.com/omnibucket/storage/internal/httpheader"
)

const abortTimeout = 30 * time.Second // of what is given back after a failure

// A piece is a range of a source that becomes a part.
type piece struct {
	source storage.ObjectRef
	span   string // of bytes; "" is all
	size   int64  // bytes
}

// cut makes pieces of one size, but for the last, of a source.
func cut(source storage.ObjectRef, size, length int64) []piece {
	if size <= length {
		return []piece{{source: source, size: size}}
	}
	var pieces []piece
	for from := int64(0); from < size; from += length {
		end := min(from+length, size)
		pieces = append(pieces, piece{source, fmt.Sprintf("bytes=%d-%d", from, end-1), end - from})
	}
	return pieces
}

// copyParts copies what is too large for CopyObject. Nothing is copied but the
// bytes: all attributes are said again.
func (d *driver) copyParts(ctx context.Context, r *storage.CopyRequest, size int64) (*storage.Attrs, error) {
	most := int64(d.profile.partsLimit())
	length := max(orDefault(d.copyPart, copyparts.DefaultSize), (size+most-1)/most)
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
		attrs, err = d.complete(ctx, in, r.Condition, -1)
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

// copyPieces copies all pieces, and stops at the first failure.
func (d *driver) copyPieces(ctx context.Context, key, upload string, pieces []piece) ([]types.CompletedPart, error) {
	parts := make([]types.CompletedPart, len(pieces))
	err := copyparts.CopyAll(ctx, len(pieces), func(ctx context.Context, i int) (err error) {
		parts[i], err = d.copyPiece(ctx, key, upload, i+1, pieces[i])
		return err
	})
	return parts, err
}

// copyPiece is one UploadPartCopy.
func (d *driver) copyPiece(ctx context.Context, key, upload string, number int, p piece) (types.CompletedPart, error) {
	out, err := d.client.UploadPartCopy(patiently(ctx, p.size), &awss3.UploadPartCopyInput{
		Bucket:            d.name(),
		Key:               &key,
		UploadId:          &upload,
		PartNumber:        aws.Int32(int32(number)),
		CopySource:        copySource(p.source),
		CopySourceIfMatch: httpheader.Optional(p.source.Revision),
		CopySourceRange:   httpheader.Optional(p.span),
	})
	if err != nil {
		return types.CompletedPart{}, d.copyFailed(ctx, err, p.source, storage.Condition{})
	}
	return completedCopy(number, out), nil
}

func completedCopy(number int, out *awss3.UploadPartCopyOutput) types.CompletedPart {
	part := types.CompletedPart{PartNumber: aws.Int32(int32(number))}
	if result := out.CopyPartResult; result != nil {
		part.ETag, part.ChecksumCRC32C = result.ETag, result.ChecksumCRC32C
	}
	return part
}

package s3

import (
	"cmp"
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// Compose copies each source as one or more parts, and sends r.Tail as the last part. It returns
// Unsupported, after which the engine streams the sources, if one that is not the last is smaller
// than the minimum part size.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	hasTail := len(r.Tail) > 0
	// A directory bucket can append to an object without a new upload.
	if hasTail && r.Unchanged && d.account.profile.amazon && bucketname.IsDirectory(d.bucket.name) {
		return d.appendInPlace(ctx, r)
	}

	ranges, endsSmall, err := d.divideSources(ctx, r.Sources)
	if err != nil {
		return nil, err
	}
	// There must be a part, and only the last one may be small.
	isSmallBeforeTail := endsSmall && hasTail
	if len(ranges) == 0 || isSmallBeforeTail {
		return nil, storage.Unsupported
	}

	// The tail is one more part.
	parts := len(ranges)
	var opts []func(*awss3.Options)
	if hasTail {
		parts++
		// An append: the object must keep the Expires header that it has.
		opts = append(opts, withExpires(r.Sources[0]))
	}
	if parts > d.account.profile.partsLimit() {
		return nil, storage.Unsupported
	}
	return d.copier.copyRanges(ctx, r, ranges, opts...)
}

// divideSources divides the sources into ranges, one for each part, and omits empty sources. Only the last
// part of an upload may be smaller than the minimum part size. endsSmall is true if the last source is
// smaller. If an earlier source is, divideSources fails with Unsupported.
func (d *objectDriver) divideSources(
	ctx context.Context, sources []driver.ObjectRef,
) (ranges []copyRange, endsSmall bool, err error) {
	for _, source := range sources {
		attrs, err := d.copier.sourceAttrs(ctx, source)
		if err != nil {
			return nil, false, err
		}
		if attrs.Size == 0 {
			continue
		}
		if endsSmall {
			// The source before this one is small, and only the last part may be.
			return nil, false, storage.Unsupported
		}
		endsSmall = attrs.Size < cmp.Or(d.copier.minPart, minPartSize)
		ranges = append(ranges, split(source, attrs.Size, d.account.profile.rangeLength(attrs.Size))...)
	}
	return ranges, endsSmall, nil
}

// appendInPlace appends r.Tail to an object of a directory bucket with one request, after which the
// object keeps its attributes. S3 refuses the request after 10,000 appends, or if the object's
// checksum is of another type. The engine then streams the object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html
func (d *objectDriver) appendInPlace(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	// The tail has no id of an upload and no number, because it is not a part of an upload here.
	tail := r.TailPart("", 0)
	input := &awss3.PutObjectInput{
		Bucket:           &d.bucket.name,
		Key:              &r.Key,
		Body:             tail.Body,
		WriteOffsetBytes: aws.Int64(r.Size - tail.Size),
		ChecksumCRC32C:   d.account.crcHeader(tail.CRC32C),
	}
	input.IfMatch, input.IfNoneMatch = attributes.Conditions(r.Condition)
	if err := d.account.customize(input, r.Native); err != nil {
		return nil, err
	}

	// The size in the response shows that the tail was appended.
	isAppended := func(o *awss3.PutObjectOutput) bool {
		return o.ETag != nil && o.Size != nil && *o.Size == r.Size
	}
	output, err := sdkcall.Write(ctx, d.account.client.PutObject, input, isAppended, d.bucket.withBody)
	if err != nil {
		if isAppendRefused(err) {
			return nil, storage.Unsupported
		}
		return nil, withWriteKeyHint(writeError(err, r.Condition), r.Native)
	}
	return &storage.Attrs{
		ETag:     attributes.ETag(output.ETag),
		Revision: attributes.ETag(output.ETag),
		CRC32C:   attributes.CRC32C(output.ChecksumCRC32C, output.ChecksumType),
	}, nil
}

// isAppendRefused reports whether an append failed because the object cannot be appended to.
func isAppendRefused(err error) bool {
	if s3error.IsCode(err, "TooManyParts") {
		return true
	}
	return s3error.IsCode(err, "InvalidRequest") && strings.Contains(err.Error(), "Checksum Type")
}

// rangeLength returns the length of the ranges that a source of size bytes is split into. All
// ranges have about the same length, so that none is smaller than the minimum part size.
func (p *Profile) rangeLength(size int64) int64 {
	limit := p.copyLimit()
	n := (size + limit - 1) / limit
	return (size + n - 1) / n
}

package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/cleanup"
	"github.com/omnibucket/storage/providers/internal/copyparts"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// A copyRange is a range of a source that becomes one part.
type copyRange struct {
	source driver.ObjectRef
	header string // "bytes=0-9"; "" for the whole source
	size   int64  // bytes
}

// split splits a source of size bytes into ranges of the same length, of which the last may be shorter.
// A range without a header is the whole source.
func split(source driver.ObjectRef, size, length int64) []copyRange {
	if size <= length {
		return []copyRange{{source: source, size: size}}
	}
	var ranges []copyRange
	for start := int64(0); start < size; start += length {
		end := min(start+length, size)
		ranges = append(ranges, copyRange{
			source: source,
			header: fmt.Sprintf("bytes=%d-%d", start, end-1),
			size:   end - start,
		})
	}
	return ranges
}

// copyInParts copies an object that is too large for CopyObject. It sends all attributes and tags,
// because UploadPartCopy copies only the content.
func (cp *copier) copyInParts(ctx context.Context, r *driver.CopyRequest, size int64) (*storage.Attrs, error) {
	tags, err := cp.sourceTags(ctx, r)
	if err != nil {
		return nil, err
	}
	controls := r.Controls
	controls.Tags = tags

	// Make parts of the default size, or larger ones if they would be too many.
	maxParts := int64(cp.account.profile.partsLimit())
	smallestSize := (size + maxParts - 1) / maxParts // rounded up
	partSize := max(cmp.Or(cp.part, copyparts.DefaultSize), smallestSize)
	return cp.copyRanges(ctx, &driver.ComposeRequest{
		Key:        r.Key,
		Properties: r.Properties,
		Controls:   controls,
		Native:     r.Native,
		Condition:  r.Condition,
	}, split(r.Source, size, partSize), withExpires(r.Source))
}

// copyRanges makes an object from ranges of its sources by a multipart upload, which it aborts if
// it fails.
func (cp *copier) copyRanges(
	ctx context.Context, r *driver.ComposeRequest, ranges []copyRange, opts ...func(*awss3.Options),
) (*storage.Attrs, error) {
	// The content of the parts is not read here, so only the store can compute their checksums.
	style := ChecksumNone
	if cp.account.profile.CopiedChecksums {
		style = ChecksumFullObject
	}
	upload, err := cp.multipart.begin(ctx, r.Key, &r.Properties, &r.Controls, r.Native, style, opts...)
	if err != nil {
		return nil, sdkerror.WithoutEffect(s3error.Of(err))
	}
	attrs, err := cp.copyToUpload(ctx, r, upload, ranges, style)
	if err == nil {
		return attrs, nil
	}

	// The upload must not be aborted if it may be complete.
	storageErr := s3error.Of(err)
	if storageErr.Unknown {
		return nil, err
	}
	return nil, cleanup.After(ctx, storageErr, "the parts that were copied", func(ctx context.Context) error {
		return cp.objects.AbortParts(ctx, r.Key, upload)
	})
}

// copyToUpload copies ranges to the parts of an upload, and completes the upload.
func (cp *copier) copyToUpload(
	ctx context.Context, r *driver.ComposeRequest, upload string, ranges []copyRange, style ChecksumStyle,
) (*storage.Attrs, error) {
	parts, err := cp.makeParts(ctx, r, upload, ranges, style)
	if err != nil {
		return nil, sdkerror.WithoutEffect(s3error.Of(err))
	}

	input := &awss3.CompleteMultipartUploadInput{
		Bucket:          &cp.bucket.name,
		Key:             &r.Key,
		UploadId:        &upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	// The algorithm was sent when the upload began.
	_, input.ChecksumType = style.multipart()
	const unknownSize = -1
	return cp.multipart.complete(ctx, input, r.Condition, unknownSize, r.Native)
}

// makeParts copies ranges to the parts of an upload, and sends r.Tail as the last part. It fails
// with Changed if a source was replaced meanwhile.
func (cp *copier) makeParts(
	ctx context.Context, r *driver.ComposeRequest, upload string, ranges []copyRange, style ChecksumStyle,
) ([]types.CompletedPart, error) {
	parts, err := cp.copyParts(ctx, r.Key, upload, ranges, r.Native)
	if err != nil {
		return nil, err
	}
	if len(r.Tail) > 0 {
		parts, err = cp.addTail(ctx, r, upload, parts, style)
		if err != nil {
			return nil, err
		}
	}

	// If the copies of the parts had no condition, compare the revisions of the sources now.
	if !cp.account.profile.PinnedCopyParts {
		if err := cp.compareSources(ctx, ranges); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// addTail uploads r.Tail, the bytes after the last source, as the last part of the upload, and appends
// that part to parts.
func (cp *copier) addTail(
	ctx context.Context, r *driver.ComposeRequest, upload string, parts []types.CompletedPart, style ChecksumStyle,
) ([]types.CompletedPart, error) {
	tail := r.TailPart(upload, len(parts)+1)
	tail.Unchecked = style == ChecksumNone // the server has no checksums
	part, err := cp.objects.PutPart(ctx, tail)
	if err != nil {
		return nil, err
	}
	completed := types.CompletedPart{PartNumber: new(int32(tail.Number)), ETag: &part.Tag}
	if style != ChecksumNone {
		completed.ChecksumCRC32C = cp.account.crcHeader(tail.CRC32C)
	}
	return append(parts, completed), nil
}

// compareSources fails with Changed if a source was replaced after its first part was copied. A
// source with a Version is not checked, because a version never changes.
func (cp *copier) compareSources(ctx context.Context, ranges []copyRange) error {
	for _, r := range ranges {
		// Only the first range of a source leads to a request.
		isFirst := r.header == "" || strings.HasPrefix(r.header, "bytes=0-")
		mayChange := r.source.Version == "" && r.source.Revision != ""
		if !isFirst || !mayChange {
			continue
		}
		if err := cp.checkUnchanged(ctx, r.source); err != nil {
			return err
		}
	}
	return nil
}

// checkUnchanged fails with Changed if a source no longer has its Revision, which is the condition of
// the request for its attributes. It also compares the times, because a replacement may have the
// same ETag.
func (cp *copier) checkUnchanged(ctx context.Context, source driver.ObjectRef) error {
	old := source.Attrs
	source.Attrs = nil // without them, sourceAttrs requests them again
	current, err := cp.sourceAttrs(ctx, source)
	if err != nil {
		return err
	}
	if old != nil && !old.Modified.IsZero() && !current.Modified.Equal(old.Modified) {
		return &storage.Error{
			Code: storage.Changed,
			Err:  errors.New("the source was replaced while its parts were copied"),
		}
	}
	return nil
}

// copyParts copies each range to a part of the upload, several at a time, and stops at the first failure.
func (cp *copier) copyParts(
	ctx context.Context, key, upload string, ranges []copyRange, native []any,
) ([]types.CompletedPart, error) {
	parts := make([]types.CompletedPart, len(ranges))
	err := copyparts.CopyAll(ctx, len(ranges), func(ctx context.Context, i int) (err error) {
		parts[i], err = cp.uploadPartCopy(ctx, key, upload, i+1, ranges[i], native)
		return err
	})
	return parts, err
}

// uploadPartCopy copies a range to one part, with one UploadPartCopy.
func (cp *copier) uploadPartCopy(
	ctx context.Context, key, upload string, number int, r copyRange, native []any,
) (types.CompletedPart, error) {
	input := &awss3.UploadPartCopyInput{
		Bucket:          &cp.bucket.name,
		Key:             &key,
		UploadId:        &upload,
		PartNumber:      new(int32(number)),
		CopySource:      attributes.CopySource(r.source),
		CopySourceRange: httpheader.Optional(r.header),
	}
	// With this condition, all parts come from the same revision of the source.
	if cp.account.profile.PinnedCopyParts {
		input.CopySourceIfMatch = httpheader.Optional(r.source.Revision)
	}
	option.ApplySource(input, r.source.Native)
	if err := cp.account.customize(input, native); err != nil {
		return types.CompletedPart{}, err
	}

	output, err := cp.account.client.UploadPartCopy(withCopyTimeout(ctx, r.size), input)
	if err != nil {
		copyErr := cp.copyError(ctx, err, r.source, storage.Condition{})
		return types.CompletedPart{}, cp.account.withCopyKeyHint(copyErr, native, r.source.Native)
	}
	result := output.CopyPartResult
	if result == nil || result.ETag == nil {
		return types.CompletedPart{}, evidence.Missing()
	}
	return types.CompletedPart{
		PartNumber:     input.PartNumber,
		ETag:           result.ETag,
		ChecksumCRC32C: result.ChecksumCRC32C,
	}, nil
}

// sourceTags returns the tags for a copy in parts, because S3 does not copy the tags of the source
// in that case. It requests them even if the attributes of the source show none, because S3 omits
// them there if the caller may not read tags.
func (cp *copier) sourceTags(ctx context.Context, r *driver.CopyRequest) (map[string]string, error) {
	if r.ReplaceTags || !cp.account.profile.Tags {
		// The request has its own tags, or the server has none.
		return r.Tags, nil
	}
	input := &awss3.GetObjectTaggingInput{
		Bucket:    &r.Source.Bucket,
		Key:       &r.Source.Key,
		VersionId: httpheader.Optional(r.Source.Version),
	}
	// An option of WithRequest for another request of the copy is Unsupported here, and is ignored.
	err := cp.account.customize(input, r.Source.Native)
	isForOtherRequest := storage.CodeOf(err) == storage.Unsupported
	if err != nil && !isForOtherRequest {
		return nil, err
	}

	// Without the tags of the source, the copy would lose them, so it fails if they cannot be read.
	output, err := sendToSource(ctx, cp, r.Source.Bucket, cp.account.client.GetObjectTagging, input)
	if err != nil {
		return nil, sourceTagsError(err)
	}
	return attributes.TagMap(output.TagSet), nil
}

// sourceTagsError translates the error of a request for the tags of a source. If the source is gone, the
// error has the code Changed.
func sourceTagsError(err error) *storage.Error {
	storageErr := s3error.Translate(err)
	isSourceGone := storageErr.Status == http.StatusNotFound || storageErr.Status == http.StatusMethodNotAllowed
	if isSourceGone {
		storageErr.Code = storage.Changed
		storageErr.Hint = ""
		return storageErr
	}
	if storageErr.Code == storage.PermissionDenied {
		storageErr.Hint = "the tags of the source may not be read: set those of the copy with WithTags, which may be none"
	}
	return storageErr
}

package s3

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

type copier struct {
	objects   driver.Driver
	account   *account
	bucket    *bucket
	multipart *multipart

	// Tests lower these sizes, in bytes, to copy small objects in parts. 0 means the size in
	// the profile.
	limit, part, minPart int64
}

// Copy sends one CopyObject or, if the object is too large for that, makes a multipart upload whose
// parts are copied in parallel.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	hasCondition := r.Condition != (storage.Condition{})
	if hasCondition && !d.account.profile.Conditions.Copy {
		// The engine then streams the object through a conditional upload.
		return nil, storage.Unsupported
	}
	if r.ReplaceTags && !d.account.profile.Tags {
		// The server may ignore the request's tags and keep the source's.
		return nil, storage.Unsupported
	}
	if r.Source.Attrs == nil && r.Source.Revision == "" {
		return d.copier.copyWithoutAttrs(ctx, r)
	}

	// One request cannot copy an object above the limit.
	size := int64(-1) // unknown
	if r.Source.Attrs != nil {
		size = r.Source.Attrs.Size
	}
	limit := cmp.Or(d.copier.limit, d.account.profile.copyLimit())
	if size > limit {
		if !d.account.profile.CopyParts {
			return nil, storage.Unsupported
		}
		return d.copier.copyInParts(ctx, r, size)
	}

	attrs, err := d.copier.copyObject(ctx, r, size)
	if err == nil {
		return attrs, nil
	}
	if !isTooLargeToCopy(err) || !d.account.profile.CopyParts {
		return nil, d.copier.copyFailed(ctx, err, r)
	}

	// The size was unknown, or the server's limit is lower.
	source, err := d.copier.sourceAttrs(ctx, r.Source)
	if err != nil {
		return nil, err
	}
	return d.copier.copyInParts(ctx, r, source.Size)
}

// copyWithoutAttrs copies a source whose size and revision are not known. It waits as long as the
// copy of a source of assumedSize may take. If no response comes, it requests the size of the
// source, and sends the copy again with the time that this size requires.
func (cp *copier) copyWithoutAttrs(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	if cp.isSameObject(r) {
		// A copy onto itself must send the attributes, which are not known.
		return nil, storage.Unsupported
	}

	attrs, err := cp.copyObject(ctx, r, assumedSize)

	// If no response came in time, send the copy again with the time that its real size requires.
	mayHaveCopied := false // whether the first request may have made the copy
	if transport.Stalled(err) && ctx.Err() == nil {
		source, sourceErr := cp.sourceAttrs(ctx, r.Source)
		if sourceErr == nil {
			mayHaveCopied = s3error.Of(err).Unknown
			attrs, err = cp.copyObject(ctx, r, source.Size)
		}
	}
	if err == nil {
		return attrs, nil
	}

	if isTooLargeToCopy(err) {
		// Parts could be of different revisions, because the revision is not known.
		return nil, storage.Unsupported
	}
	storageErr := s3error.Of(cp.copyFailed(ctx, err, r))
	storageErr.Unknown = storageErr.Unknown || mayHaveCopied
	return nil, storageErr
}

// copyFailed returns the error of a copy that failed with err, with hints about customer keys.
func (cp *copier) copyFailed(ctx context.Context, err error, r *driver.CopyRequest) error {
	return cp.account.withCopyKeyHint(cp.copyError(ctx, err, r.Source, r.Condition), r.Native, r.Source.Native)
}

// assumedSize is the size in bytes that is assumed for a source of unknown size. The copy of
// such a source then has a timeout of two minutes: transport.DefaultAnswer, plus the time for
// assumedSize bytes at minCopyRate.
const assumedSize = 360 << 20

// copyObject sends one CopyObject. size is the number of bytes of the source, which limits the time
// of the request, or -1 if it is unknown.
func (cp *copier) copyObject(ctx context.Context, r *driver.CopyRequest, size int64) (*storage.Attrs, error) {
	input := cp.newCopyInput(r)

	// S3 refuses a copy onto itself that changes nothing. Replacing the attributes counts as a
	// change, even by equal attributes.
	var options []func(*awss3.Options)
	if r.Replace || cp.isSameObject(r) {
		cp.replaceAttributes(input, r)
		options = append(options, withExpires(r.Source))
	}
	if err := cp.account.customize(input, r.Native); err != nil {
		return nil, err
	}

	// Only a response with the object's ETag shows that the copy was made.
	isCopied := func(o *awss3.CopyObjectOutput) bool {
		return o.CopyObjectResult != nil && o.CopyObjectResult.ETag != nil
	}
	output, err := sdkcall.Write(withCopyTimeout(ctx, size), cp.account.client.CopyObject, input, isCopied, options...)
	if err != nil {
		return nil, err
	}

	result := output.CopyObjectResult
	encryption := attributes.Encryption(output.ServerSideEncryption, output.SSEKMSKeyId, output.SSECustomerAlgorithm, output.SSECustomerKeyMD5)
	attrs := attributes.Written(result.ETag, output.VersionId, result.ChecksumCRC32C, result.ChecksumType, encryption)
	attrs.Modified = attributes.WholeSeconds(result.LastModified)
	return attrs, nil
}

// newCopyInput returns the input of a CopyObject that keeps the attributes of the source.
func (cp *copier) newCopyInput(r *driver.CopyRequest) *awss3.CopyObjectInput {
	input := &awss3.CopyObjectInput{
		Bucket:            &cp.bucket.name,
		Key:               &r.Key,
		CopySource:        attributes.CopySource(r.Source),
		CopySourceIfMatch: httpheader.Optional(r.Source.Revision),
		StorageClass:      types.StorageClass(r.StorageClass), // never copied; the default is the bucket's
		ACL:               attributes.ACL(r.PublicRead),
		MetadataDirective: types.MetadataDirectiveCopy,
	}

	input.IfMatch, input.IfNoneMatch = attributes.Conditions(r.Condition)
	input.ObjectLockMode, input.ObjectLockRetainUntilDate, input.ObjectLockLegalHoldStatus = attributes.Lock(&r.Controls)

	if r.ReplaceTags {
		input.TaggingDirective = types.TaggingDirectiveReplace
		input.Tagging = attributes.TagHeader(r.Tags)
	}
	if cp.account.profile.Checksum == ChecksumFullObject {
		input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
	}

	option.ApplySource(input, r.Source.Native)
	return input
}

// replaceAttributes makes a copy have the attributes of r in place of those of the source.
func (cp *copier) replaceAttributes(input *awss3.CopyObjectInput, r *driver.CopyRequest) {
	input.MetadataDirective = types.MetadataDirectiveReplace
	input.ContentType = httpheader.Optional(r.ContentType)
	input.ContentEncoding = httpheader.Optional(r.ContentEncoding)
	input.ContentDisposition = httpheader.Optional(r.ContentDisposition)
	input.ContentLanguage = httpheader.Optional(r.ContentLanguage)
	input.CacheControl = httpheader.Optional(r.CacheControl)
	input.Metadata = cp.account.profile.attributes().StoredNames(r.Metadata)
}

// withExpires makes a copy keep the source's Expires header, which the server drops if the request
// replaces the attributes. If the source's attributes were not read, the request stays as it is.
func withExpires(source driver.ObjectRef) func(*awss3.Options) {
	return func(o *awss3.Options) {
		if source.Attrs == nil {
			return
		}
		if head, ok := source.Attrs.Native.(*awss3.HeadObjectOutput); ok && head.ExpiresString != nil {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("Expires", *head.ExpiresString))
		}
	}
}

// isSameObject reports whether a copy has the same key as its source.
func (cp *copier) isSameObject(r *driver.CopyRequest) bool {
	return r.Source.Bucket == cp.bucket.name && r.Source.Key == r.Key
}

// isTooLargeToCopy reports whether a CopyObject failed because of the size of the source. With this
// error, Copy need not request the size of every source first.
func isTooLargeToCopy(err error) bool {
	code, message := s3error.CodeAndMessage(err)
	if code == "EntityTooLarge" {
		return true
	}
	return code == "InvalidRequest" && strings.Contains(message, "maximum allowable size")
}

// copyError translates the error of a copy. It tells a changed source from a false condition of the
// destination, for which the server sends the same response.
func (cp *copier) copyError(ctx context.Context, err error, source driver.ObjectRef, c storage.Condition) error {
	storageErr := s3error.Of(err)
	// A 404 means that the source, which existed a moment ago, is gone.
	isGone := isObjectMissing(storageErr)
	isRefused := storageErr.Code == storage.PreconditionFailed || storageErr.Code == storage.NotModified
	if !isGone && !isRefused {
		return storageErr
	}
	if c == (storage.Condition{}) {
		// Without a condition on the destination, only the source can be the cause.
		storageErr.Code = storage.Changed
		return storageErr
	}

	// Read the source again, because its attributes may be old.
	source.Attrs = nil
	if _, err := cp.sourceAttrs(ctx, source); err != nil {
		if s3error.Of(err).Code != storage.Changed {
			return err
		}
		storageErr.Code = storage.Changed
		return storageErr
	}

	// The source has not changed, so the condition of the destination is false.
	storageErr.Code = storage.PreconditionFailed
	storageErr.Hint = ""
	return storageErr
}

// sourceAttrs returns the size and the time of a source. It fails with Changed if the source is
// gone, or has another revision than requested.
func (cp *copier) sourceAttrs(ctx context.Context, source driver.ObjectRef) (*storage.Attrs, error) {
	if source.Attrs != nil {
		return source.Attrs, nil
	}
	output, err := cp.headSource(ctx, source)
	if err != nil {
		// The status 405 means that the newest version is a delete marker.
		changed := []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusMethodNotAllowed}
		storageErr := s3error.Translate(err)
		if slices.Contains(changed, storageErr.Status) {
			storageErr.Code = storage.Changed
		}
		return nil, storageErr
	}
	if output.ContentLength == nil {
		return nil, httpheader.LengthMissing()
	}
	return &storage.Attrs{
		Size:     *output.ContentLength,
		Modified: attributes.WholeSeconds(output.LastModified),
	}, nil
}

// headSource sends a HeadObject for the source of a copy.
func (cp *copier) headSource(ctx context.Context, source driver.ObjectRef) (*awss3.HeadObjectOutput, error) {
	input := &awss3.HeadObjectInput{
		Bucket:    &source.Bucket,
		Key:       &source.Key,
		VersionId: httpheader.Optional(source.Version),
		IfMatch:   httpheader.Optional(source.Revision),
	}
	if err := cp.account.customize(input, source.Native); err != nil {
		return nil, err
	}
	return sendToSource(ctx, cp, source.Bucket, cp.account.client.HeadObject, input)
}

// sendToSource sends a request to the bucket of a source. If the response says that the bucket is
// in another region, it sends the request again to that region.
func sendToSource[In, Out any](
	ctx context.Context, cp *copier, bucket string, send sdkcall.Func[In, Out], input *In,
) (*Out, error) {
	out, err := send(ctx, input)
	if err == nil || bucket == cp.bucket.name || !cp.account.isAmazon() {
		return out, err
	}

	region := s3error.Header(err, "X-Amz-Bucket-Region")
	if region == "" || region == cp.account.region {
		return out, err
	}
	return send(ctx, input, func(o *awss3.Options) {
		o.Region = region
	})
}

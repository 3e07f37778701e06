package s3

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
	"github.com/omnibucket/storage/providers/s3/internal/uploadbody"
)

type multipart struct{ bucket *bucket }

// BeginParts sends one CreateMultipartUpload, and returns the id of the upload. CompleteParts later
// sends the condition of the write.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	style := d.account.profile.Checksum
	// Parts without checksums are only possible if the upload names no checksum algorithm.
	if r.UncheckedParts {
		if r.LegalHold || r.Retention != (storage.Retention{}) {
			return "", &storage.Error{
				Code: storage.Unsupported,
				Hint: "S3 locks only what it can check: begin the upload without WithUncheckedParts",
			}
		}
		style = ChecksumNone
	}
	return d.multipart.begin(ctx, r.Key, &r.Properties, &r.Controls, r.Native, style)
}

// begin sends one CreateMultipartUpload, and returns the id of the upload. style says which
// checksums the parts will have.
func (m *multipart) begin(
	ctx context.Context, key string, p *storage.Properties, c *storage.Controls, native []any, style ChecksumStyle,
	opts ...func(*awss3.Options),
) (string, error) {
	input := &awss3.CreateMultipartUploadInput{
		Bucket:             &m.bucket.name,
		Key:                &key,
		ContentType:        httpheader.Optional(p.ContentType),
		ContentEncoding:    httpheader.Optional(p.ContentEncoding),
		ContentDisposition: httpheader.Optional(p.ContentDisposition),
		ContentLanguage:    httpheader.Optional(p.ContentLanguage),
		CacheControl:       httpheader.Optional(p.CacheControl),
		Metadata:           m.bucket.account.profile.attributes().StoredNames(p.Metadata),
		StorageClass:       types.StorageClass(p.StorageClass),
		ACL:                attributes.ACL(c.PublicRead),
		Tagging:            attributes.TagHeader(c.Tags),
	}

	input.ObjectLockMode, input.ObjectLockRetainUntilDate, input.ObjectLockLegalHoldStatus = attributes.Lock(c)
	input.ChecksumAlgorithm, input.ChecksumType = style.multipart()
	if err := m.bucket.account.customize(input, native); err != nil {
		return "", err
	}

	output, err := m.bucket.account.client.CreateMultipartUpload(ctx, input, opts...)
	if err != nil {
		return "", withWriteKeyHint(uploadError(err), native)
	}
	id := aws.ToString(output.UploadId)
	if id == "" {
		return "", evidence.Missing()
	}
	return id, nil
}

// PutPart sends one UploadPart. Unless the part is unchecked, the request has its checksum if the
// server accepts one.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	input := &awss3.UploadPartInput{
		Bucket:        &d.bucket.name,
		Key:           &r.Key,
		UploadId:      &r.Upload,
		PartNumber:    aws.Int32(int32(r.Number)),
		Body:          d.account.verifiedBody(r.Body, r.Size, r.CRC32C),
		ContentLength: &r.Size,
	}

	// The request of an unchecked part has no checksum, so the body is compared with it here.
	api := d.bucket.objectAPI(ctx, r.Native...)
	if r.Unchecked {
		input.Body = uploadbody.Compare(r.Body, r.Size, r.CRC32C)
	} else {
		if err := d.bucket.sumPart(ctx, input, r, api); err != nil {
			return driver.Part{}, err
		}
	}
	if err := d.account.customize(input, r.Native); err != nil {
		return driver.Part{}, err
	}

	output, err := api.UploadPart(ctx, input, d.bucket.withBody)
	if err != nil {
		return driver.Part{}, sdkerror.WithoutEffect(uploadError(err))
	}
	if output.ETag == nil {
		// Only a response with an ETag shows that the part was stored.
		return driver.Part{}, sdkerror.WithoutEffect(uploadError(evidence.Missing()))
	}
	if err := checkTrailer(input, output); err != nil {
		return driver.Part{}, err
	}
	return driver.Part{
		Number: r.Number,
		Tag:    aws.ToString(output.ETag),
		Size:   r.Size,
		CRC32C: attributes.CRC32C(output.ChecksumCRC32C, ""),
	}, nil
}

// CompleteParts sends one CompleteMultipartUpload with the condition of the write. It also sends
// the checksum and the size of the whole object, if the server checks them.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	input := &awss3.CompleteMultipartUploadInput{
		Bucket:          &d.bucket.name,
		Key:             &r.Put.Key,
		UploadId:        &r.Upload,
		MultipartUpload: &types.CompletedMultipartUpload{},
	}
	// Some servers abort the upload if the condition is false, so it could not be completed later.
	if d.account.profile.RefusalAborts && isConditionFalse(ctx, d, r.Put) {
		return nil, &storage.Error{
			Code: storage.PreconditionFailed,
			Err:  errors.New("the condition of the upload is false before its completion"),
		}
	}

	// With WithUncheckedParts, the completion sends no checksums.
	isChecked := !r.Put.UncheckedParts
	if isChecked && d.account.profile.Checksum == ChecksumFullObject {
		input.ChecksumType = types.ChecksumTypeFullObject
		input.MpuObjectSize = &r.Put.Size
		// MinIO has no checksum of an empty object.
		if r.Put.Size > 0 {
			input.ChecksumCRC32C = d.account.crcHeader(r.Put.CRC32C)
		}
	}

	for _, part := range r.Parts {
		completed := types.CompletedPart{PartNumber: aws.Int32(int32(part.Number)), ETag: aws.String(part.Tag)}
		if isChecked {
			completed.ChecksumCRC32C = d.account.crcHeader(part.CRC32C)
		}
		input.MultipartUpload.Parts = append(input.MultipartUpload.Parts, completed)
	}
	return d.multipart.complete(ctx, input, r.Put.Condition, r.Put.Size, r.Put.Native)
}

// isConditionFalse reports whether a HEAD shows that the condition of an upload is false. If the
// HEAD does not tell, it returns false, because the server also checks the condition itself.
func isConditionFalse(ctx context.Context, d *objectDriver, r *driver.PutRequest) bool {
	c := r.Condition
	if c == (storage.Condition{}) {
		return false
	}
	input := &awss3.HeadObjectInput{Bucket: &d.bucket.name, Key: &r.Key}
	// An error is ignored, because it is about an option that HeadObject does not need.
	_ = d.account.customize(input, r.Native)
	head, err := d.account.client.HeadObject(ctx, input)
	if err == nil {
		// With the condition Absent, Revision is empty, so any object makes the condition false.
		return attributes.ETag(head.ETag) != c.Revision
	}
	if c.Revision == "" || s3error.Status(err) != http.StatusNotFound {
		// The condition Absent is true without an object, and another error does not tell.
		return false
	}
	// A missing object has no revision. But the 404 may also mean that the bucket is missing.
	return storage.CodeOf(d.bucket.notFound(ctx, err)) == storage.ObjectNotFound
}

// complete sends one CompleteMultipartUpload with the condition c. size is the number of bytes in
// the parts, or -1 if it is unknown. The server may copy the parts, so a large size gets more time.
func (m *multipart) complete(
	ctx context.Context, input *awss3.CompleteMultipartUploadInput, c storage.Condition, size int64, native []any,
) (*storage.Attrs, error) {
	input.IfMatch, input.IfNoneMatch = attributes.Conditions(c)
	if err := m.bucket.account.customize(input, native); err != nil {
		return nil, err
	}

	// Only a response with the object's ETag shows that the upload was completed.
	hasETag := func(o *awss3.CompleteMultipartUploadOutput) bool { return o.ETag != nil }
	output, err := sdkcall.Write(
		withCopyTimeout(ctx, size), m.bucket.account.client.CompleteMultipartUpload, input, hasETag,
	)
	if err != nil {
		return nil, writeError(err, c)
	}
	encryption := attributes.Encryption(output.ServerSideEncryption, output.SSEKMSKeyId, nil, nil)
	return attributes.Written(output.ETag, output.VersionId, output.ChecksumCRC32C, output.ChecksumType, encryption), nil
}

// maxAborts limits how often the abort of an upload is repeated while the upload still has parts.
const maxAborts = 4

// AbortParts repeats the abort until the upload has no parts, as S3 recommends. A part whose
// request was canceled may arrive after the first abort, and would be kept and billed.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	for range maxAborts {
		_, err := d.account.client.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{
			Bucket:   &d.bucket.name,
			Key:      &key,
			UploadId: &upload,
		})
		if err != nil {
			if s3error.IsCode(err, "NoSuchUpload") {
				return nil
			}
			return uploadError(err)
		}

		// Check whether a part has arrived after the abort.
		page, err := d.account.client.ListParts(ctx, &awss3.ListPartsInput{
			Bucket:   &d.bucket.name,
			Key:      &key,
			UploadId: &upload,
			MaxParts: aws.Int32(1),
		})
		if err != nil || len(page.Parts) == 0 {
			// The abort succeeded. An error only means that the parts could not be listed.
			return nil
		}
	}
	return &storage.Error{
		Code: storage.Unavailable,
		Err:  errors.New("the aborted upload still has parts"),
		Hint: "set a lifecycle rule that aborts stale uploads, to remove the remaining parts",
	}
}

// uploadError translates the error of a request of a multipart upload, which never means that an
// object is missing.
func uploadError(err error) error {
	storageErr := s3error.Translate(err)
	if storageErr.Status == http.StatusNotFound && storageErr.Code == storage.ObjectNotFound {
		storageErr.Code = storage.BucketNotFound
		// Some servers return this code for a missing upload.
		if s3error.IsCode(err, "NoSuchKey") {
			storageErr.Code = storage.InvalidArgument
		}
	}
	return storageErr
}

const (
	// maxCopyTimeout is the longest time that the server may take to copy. Many servers send no
	// byte of the response before the copy has ended.
	maxCopyTimeout = 15 * time.Minute
	// minCopyRate is the slowest rate at which a server copies, in bytes per second. At this rate,
	// the copy of 5 GiB takes almost as long as maxCopyTimeout.
	minCopyRate = 6 << 20
)

// withCopyTimeout returns a context that gives the server time to copy a number of bytes, or -1 if
// it is unknown. With less time, the request would be repeated while the server still works on it.
// With more, a lost response would cost time.
func withCopyTimeout(ctx context.Context, bytes int64) context.Context {
	wait := maxCopyTimeout
	if bytes >= 0 {
		wait = min(wait, transport.DefaultAnswer+time.Duration(bytes/minCopyRate)*time.Second)
	}
	return transport.WithAnswer(ctx, wait)
}

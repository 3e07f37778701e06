package s3

import (
	"context"
	"net/http"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// Put sends one PutObject, whose body has neither chunks nor a trailer.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	input := &awss3.PutObjectInput{
		Bucket:             &d.bucket.name,
		Key:                &r.Key,
		Body:               d.account.verifiedBody(r.Body, r.Size, r.CRC32C),
		ContentLength:      &r.Size,
		ContentType:        httpheader.Optional(r.ContentType),
		ContentEncoding:    httpheader.Optional(r.ContentEncoding),
		ContentDisposition: httpheader.Optional(r.ContentDisposition),
		ContentLanguage:    httpheader.Optional(r.ContentLanguage),
		CacheControl:       httpheader.Optional(r.CacheControl),
		Metadata:           d.account.profile.attributes().StoredNames(r.Metadata),
		StorageClass:       types.StorageClass(r.StorageClass),
		ACL:                attributes.ACL(r.PublicRead),
		ChecksumCRC32C:     d.account.crcHeader(r.CRC32C),
		Tagging:            attributes.TagHeader(r.Tags),
	}

	input.ObjectLockMode, input.ObjectLockRetainUntilDate, input.ObjectLockLegalHoldStatus = attributes.Lock(&r.Controls)
	input.IfMatch, input.IfNoneMatch = attributes.Conditions(r.Condition)
	if err := d.account.customize(input, r.Native); err != nil {
		return nil, err
	}

	// Only a response with the object's ETag shows that the object was stored.
	hasETag := func(o *awss3.PutObjectOutput) bool { return o.ETag != nil }
	api := d.bucket.objectAPI(ctx, r.Native...)
	output, err := sdkcall.Write(ctx, api.PutObject, input, hasETag, d.bucket.withBody)
	if err != nil {
		return nil, withWriteKeyHint(writeError(err, r.Condition), r.Native)
	}

	encryption := attributes.Encryption(output.ServerSideEncryption, output.SSEKMSKeyId, output.SSECustomerAlgorithm, output.SSECustomerKeyMD5)
	return attributes.Written(output.ETag, output.VersionId, output.ChecksumCRC32C, output.ChecksumType, encryption), nil
}

// withBody sets the SDK's options for a request whose body is the content of an object.
func (b *bucket) withBody(o *awss3.Options) {
	// Computing the body's SHA-256 takes longer than the transfer. It is not needed: the body is
	// protected by TLS, or by a checksum that the signature covers.
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)

	// An error is ignored here, because the SDK reports an invalid address later.
	endpoint, _ := b.ownEndpoint()
	if b.account.sendsMD5(endpoint) {
		o.APIOptions = append(o.APIOptions, sdkcall.WithContentMD5)
	}
}

// writeError translates the error of a write that may have a condition. S3 returns 404 if the
// object to update is missing, and older servers return 304 if the condition is false.
func writeError(err error, c storage.Condition) error {
	storageErr := s3error.Of(err)
	if c == (storage.Condition{}) {
		return storageErr
	}
	isUpdateOfMissing := c.Revision != "" && isObjectMissing(storageErr)
	if isUpdateOfMissing || storageErr.Code == storage.NotModified {
		storageErr.Code = storage.PreconditionFailed
		storageErr.Hint = ""
	}
	return storageErr
}

// isObjectMissing reports whether the error means that the object of a request is missing. S3
// returns 404 for a missing bucket, upload or KMS key, too.
func isObjectMissing(err *storage.Error) bool {
	if err.Status != http.StatusNotFound || s3error.IsKMS(err.Err) {
		return false
	}
	return !s3error.IsCode(err.Err, "NoSuchBucket", "NoSuchUpload")
}

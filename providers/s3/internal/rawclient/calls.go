package rawclient

import (
	"context"
	"net/http"
	"strconv"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// PutObject sends the same request as PutObject of the SDK's client with the middleware that
// package s3 adds for bodies.
func (c *Client) PutObject(
	ctx context.Context, input *awss3.PutObjectInput, _ ...func(*awss3.Options),
) (*awss3.PutObjectOutput, error) {
	r := &request{
		method: http.MethodPut,
		key:    *input.Key,
		query:  "x-id=PutObject",
		header: newHeader(),
		body:   input.Body,
		size:   *input.ContentLength,
		sha256: signature.UnsignedPayload,
	}

	r.setPutHeaders(input)
	response, failure, err := c.sendBody(ctx, r)
	if err != nil {
		return nil, err
	}
	// The SDK makes its usual error from the response, and sends nothing.
	if failure != nil {
		return c.SDK.PutObject(ctx, &awss3.PutObjectInput{Bucket: input.Bucket, Key: input.Key}, failure.replay)
	}

	header := response.Header
	output := &awss3.PutObjectOutput{
		ETag:           headerValue(header, ETagHeader),
		VersionId:      headerValue(header, versionHeader),
		ChecksumCRC32C: headerValue(header, crc32cHeader),
		ChecksumType:   types.ChecksumType(header.Get(checksumTypeHeader)),
	}
	output.ServerSideEncryption, output.SSEKMSKeyId, output.SSECustomerAlgorithm, output.SSECustomerKeyMD5 = encryptionHeaders(header)
	return output, nil
}

// setPutHeaders sets the headers that the SDK would send for the fields of the input.
func (r *request) setPutHeaders(input *awss3.PutObjectInput) {
	h := &r.header
	h.set("Content-Type", contentTypeOrDefault(input.ContentType))
	h.setOptional("Content-Encoding", input.ContentEncoding)
	h.setOptional("Content-Disposition", input.ContentDisposition)
	h.setOptional("Content-Language", input.ContentLanguage)
	h.setOptional("Cache-Control", input.CacheControl)
	h.setOptional("If-Match", input.IfMatch)
	h.setOptional("If-None-Match", input.IfNoneMatch)
	h.setOptional("X-Amz-Checksum-Crc32c", input.ChecksumCRC32C)
	h.setOptional(TagsHeader, input.Tagging)
	SetLock(h.set, input.ObjectLockMode, input.ObjectLockRetainUntilDate, input.ObjectLockLegalHoldStatus)

	if input.StorageClass != "" {
		h.set("X-Amz-Storage-Class", string(input.StorageClass))
	}
	if input.ACL != "" {
		h.set("X-Amz-Acl", string(input.ACL))
	}
	SetEncryption(h.set, input)
	for name, value := range input.Metadata {
		h.set(http.CanonicalHeaderKey(metadataHeader+name), value)
	}
}

// UploadPart sends the same request as UploadPart of the SDK's client with the middleware that
// package s3 adds for bodies. input.Body may be a [Trailed].
func (c *Client) UploadPart(
	ctx context.Context, input *awss3.UploadPartInput, _ ...func(*awss3.Options),
) (*awss3.UploadPartOutput, error) {
	query := strconv.AppendInt([]byte("partNumber="), int64(*input.PartNumber), 10)
	query = append(query, "&uploadId="...)
	query = escape.AppendAll(query, *input.UploadId)
	query = append(query, "&x-id=UploadPart"...)

	r := &request{
		method: http.MethodPut,
		key:    *input.Key,
		query:  string(query),
		header: newHeader(),
		body:   input.Body,
		size:   *input.ContentLength,
		sha256: signature.UnsignedPayload,
	}

	r.header.set("Content-Type", contentTypeOrDefault(nil))
	r.header.setOptional("X-Amz-Checksum-Crc32c", input.ChecksumCRC32C)
	trailed, isTrailed := input.Body.(*Trailed)
	if isTrailed {
		trailed.setHeaders(r)
	}
	SetCustomerKey(r.header.set, input.SSECustomerAlgorithm, input.SSECustomerKey, input.SSECustomerKeyMD5)

	response, failure, err := c.sendBody(ctx, r)
	if err != nil {
		return nil, err
	}
	// The SDK makes its usual error from the response, and sends nothing.
	if failure != nil {
		return c.SDK.UploadPart(ctx, &awss3.UploadPartInput{
			Bucket:     input.Bucket,
			Key:        input.Key,
			UploadId:   input.UploadId,
			PartNumber: input.PartNumber,
		}, failure.replay)
	}
	return &awss3.UploadPartOutput{
		ETag:           headerValue(response.Header, ETagHeader),
		ChecksumCRC32C: headerValue(response.Header, crc32cHeader),
	}, nil
}

// GetObject sends the same request as GetObject of the SDK's client, but does not validate the
// checksum of the response.
func (c *Client) GetObject(
	ctx context.Context, input *awss3.GetObjectInput, _ ...func(*awss3.Options),
) (*awss3.GetObjectOutput, error) {
	r := &request{
		method: http.MethodGet,
		key:    *input.Key,
		query:  "x-id=GetObject",
		header: newHeader(),
		sha256: signature.EmptySHA256,
	}
	if input.VersionId != nil {
		r.query = versionQuery(*input.VersionId) + "&" + r.query
	}
	r.header.setOptional("Range", input.Range)
	r.setConditions(input.IfMatch, input.IfNoneMatch, input.ChecksumMode)
	SetCustomerKey(r.header.set, input.SSECustomerAlgorithm, input.SSECustomerKey, input.SSECustomerKeyMD5)

	response, failure, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	// A failure is the server's refusal, or a lost response. The SDK makes its usual error from it,
	// and sends nothing.
	if failure != nil {
		return c.SDK.GetObject(ctx, &awss3.GetObjectInput{Bucket: input.Bucket, Key: input.Key}, failure.replay)
	}
	output := outputOf(response)
	output.Body = response.Body
	return output, nil
}

// HeadObject sends the same request as HeadObject of the SDK's client.
func (c *Client) HeadObject(
	ctx context.Context, input *awss3.HeadObjectInput, _ ...func(*awss3.Options),
) (*awss3.GetObjectOutput, error) {
	r := &request{method: http.MethodHead, key: *input.Key, header: newHeader(), sha256: signature.EmptySHA256}
	if input.VersionId != nil {
		r.query = versionQuery(*input.VersionId)
	}
	r.setConditions(input.IfMatch, input.IfNoneMatch, input.ChecksumMode)
	SetCustomerKey(r.header.set, input.SSECustomerAlgorithm, input.SSECustomerKey, input.SSECustomerKeyMD5)

	response, failure, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	// The SDK would take much longer to make this error, which is frequent.
	isMissing := failure != nil && failure.response != nil && failure.response.StatusCode == http.StatusNotFound
	if isMissing {
		return nil, missingObjectError(failure.response)
	}
	if failure != nil {
		// The SDK makes its usual error from the response, and sends nothing.
		output, err := c.SDK.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key}, failure.replay)
		if err != nil {
			return nil, err
		}
		return HeadOutput(output), nil
	}
	_ = response.Body.Close()
	return outputOf(response), nil
}

// outputOf returns the output that the SDK's client would make from the header of a response.
func outputOf(response *http.Response) *awss3.GetObjectOutput {
	h := response.Header
	output := &awss3.GetObjectOutput{
		CacheControl:       headerValue(h, "Cache-Control"),
		ChecksumCRC32C:     headerValue(h, crc32cHeader),
		ChecksumType:       types.ChecksumType(h.Get(checksumTypeHeader)),
		ContentDisposition: headerValue(h, "Content-Disposition"),
		ContentEncoding:    headerValue(h, "Content-Encoding"),
		ContentLanguage:    headerValue(h, "Content-Language"),
		ContentRange:       headerValue(h, "Content-Range"),
		ContentType:        headerValue(h, "Content-Type"),
		ETag:               headerValue(h, ETagHeader),
		LastModified:       headerTime(h, "Last-Modified"),
		Metadata:           httpheader.Metadata(h, metadataHeader),
		StorageClass:       types.StorageClass(h.Get(classHeader)),
		VersionId:          headerValue(h, versionHeader),
		TagCount:           headerNumber(h, tagCountHeader),

		Restore:                   headerValue(h, "X-Amz-Restore"),
		ObjectLockMode:            types.ObjectLockMode(h.Get(lockModeHeader)),
		ObjectLockRetainUntilDate: lockTime(h),
		ObjectLockLegalHoldStatus: types.ObjectLockLegalHoldStatus(h.Get(legalHoldHeader)),
	}
	output.ServerSideEncryption, output.SSEKMSKeyId, output.SSECustomerAlgorithm, output.SSECustomerKeyMD5 = encryptionHeaders(h)
	output.ReplicationStatus = types.ReplicationStatus(h.Get(replicationHeader))
	setArchived(output, h.Get("X-Amz-Archive-Status"))
	// A length of -1 means that the response does not say it.
	if response.ContentLength >= 0 {
		output.ContentLength = &response.ContentLength
	}
	return output
}

// setConditions sets the conditions of a read, and the header that asks for the checksum.
func (r *request) setConditions(match, noneMatch *string, mode types.ChecksumMode) {
	r.header.setOptional("If-Match", match)
	r.header.setOptional("If-None-Match", noneMatch)
	if mode != "" {
		r.header.set("X-Amz-Checksum-Mode", string(mode))
	}
}

func versionQuery(id string) string { return "versionId=" + escape.All(id) }

// contentTypeOrDefault returns the content type or, if it is nil, the one that the SDK's client
// sends.
func contentTypeOrDefault(contentType *string) string {
	if contentType == nil {
		return "application/octet-stream"
	}
	return *contentType
}

// HeadOutput returns the output of a HeadObject in the form of GetObject, so that the same code
// reads the attributes of both.
func HeadOutput(output *awss3.HeadObjectOutput) *awss3.GetObjectOutput {
	object := &awss3.GetObjectOutput{
		CacheControl:              output.CacheControl,
		ChecksumCRC32C:            output.ChecksumCRC32C,
		ChecksumType:              output.ChecksumType,
		ContentDisposition:        output.ContentDisposition,
		ContentEncoding:           output.ContentEncoding,
		ContentLanguage:           output.ContentLanguage,
		ContentLength:             output.ContentLength,
		ContentType:               output.ContentType,
		ETag:                      output.ETag,
		LastModified:              output.LastModified,
		Metadata:                  output.Metadata,
		StorageClass:              output.StorageClass,
		VersionId:                 output.VersionId,
		TagCount:                  output.TagCount,
		ObjectLockMode:            output.ObjectLockMode,
		ObjectLockRetainUntilDate: output.ObjectLockRetainUntilDate,
		ObjectLockLegalHoldStatus: output.ObjectLockLegalHoldStatus,
		Restore:                   output.Restore,
		ServerSideEncryption:      output.ServerSideEncryption,
		SSEKMSKeyId:               output.SSEKMSKeyId,
		SSECustomerAlgorithm:      output.SSECustomerAlgorithm,
		SSECustomerKeyMD5:         output.SSECustomerKeyMD5,
		ReplicationStatus:         output.ReplicationStatus,
	}
	setArchived(object, string(output.ArchiveStatus))
	return object
}

type archivedKey struct{}

// setArchived records that an object is in an archive tier of Intelligent-Tiering. The output of
// GetObject has no field for this.
func setArchived(output *awss3.GetObjectOutput, tier string) {
	if tier != "" {
		output.ResultMetadata.Set(archivedKey{}, true)
	}
}

// IsInArchiveTier reports whether a response says that the object is in an archive tier of Intelligent-Tiering.
func IsInArchiveTier(output *awss3.GetObjectOutput) bool {
	return output.ResultMetadata.Has(archivedKey{})
}

package s3

import (
	"context"
	"net/http"
	"strconv"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage/internal/httpheader"
)

// PutObject does what the SDK's PutObject does with bucket.withBody.
func (c *rawClient) PutObject(ctx context.Context, in *awss3.PutObjectInput, _ ...func(*awss3.Options)) (*awss3.PutObjectOutput, error) {
	r := &rawRequest{method: http.MethodPut, key: *in.Key, query: "x-id=PutObject", header: newRawHeader(), body: in.Body, size: *in.ContentLength, sha256: unsignedPayload}
	h := &r.header
	h.set("Content-Type", contentTypeOrDefault(in.ContentType))
	h.setOptional("Content-Encoding", in.ContentEncoding)
	h.setOptional("Content-Disposition", in.ContentDisposition)
	h.setOptional("Content-Language", in.ContentLanguage)
	h.setOptional("Cache-Control", in.CacheControl)
	h.setOptional("If-Match", in.IfMatch)
	h.setOptional("If-None-Match", in.IfNoneMatch)
	h.setOptional("X-Amz-Checksum-Crc32c", in.ChecksumCRC32C)
	h.setOptional(tagsHeader, in.Tagging)
	setLock(h.set, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus)
	if in.StorageClass != "" {
		h.set("X-Amz-Storage-Class", string(in.StorageClass))
	}
	if in.ACL != "" {
		h.set("X-Amz-Acl", string(in.ACL))
	}
	if in.ServerSideEncryption != "" || in.SSECustomerKey != nil {
		encryptionOf(in).headers(h.set)
	}
	for name, value := range in.Metadata {
		h.set(http.CanonicalHeaderKey(metadataHeader+name), value)
	}
	response, failed, err := c.sendBody(ctx, r)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return c.account.client.PutObject(ctx, &awss3.PutObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.replay)
	}
	received := response.Header
	out := &awss3.PutObjectOutput{
		ETag:           headerValue(received, etagHeader),
		VersionId:      headerValue(received, versionHeader),
		ChecksumCRC32C: headerValue(received, crc32cHeader),
		ChecksumType:   types.ChecksumType(received.Get(checksumTypeHeader)),
	}
	out.ServerSideEncryption, out.SSEKMSKeyId, out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = encryptionHeaders(received)
	return out, nil
}

// UploadPart does what the SDK's UploadPart does with bucket.withBody.
func (c *rawClient) UploadPart(ctx context.Context, in *awss3.UploadPartInput, _ ...func(*awss3.Options)) (*awss3.UploadPartOutput, error) {
	query := append(strconv.AppendInt([]byte("partNumber="), int64(*in.PartNumber), 10), "&uploadId="...)
	query = append(appendEscaped(query, *in.UploadId), "&x-id=UploadPart"...)
	r := &rawRequest{method: http.MethodPut, key: *in.Key, query: string(query), header: newRawHeader(), body: in.Body, size: *in.ContentLength, sha256: unsignedPayload}
	r.header.set("Content-Type", contentTypeOrDefault(nil))
	r.header.setOptional("X-Amz-Checksum-Crc32c", in.ChecksumCRC32C)
	if in.SSECustomerKey != nil {
		encryptionOf(in).customer.headers(r.header.set)
	}
	response, failed, err := c.sendBody(ctx, r)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return c.account.client.UploadPart(ctx, &awss3.UploadPartInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber}, failed.replay)
	}
	return &awss3.UploadPartOutput{
		ETag:           headerValue(response.Header, etagHeader),
		ChecksumCRC32C: headerValue(response.Header, crc32cHeader),
	}, nil
}

// GetObject does what the SDK's GetObject does, without validating the checksum.
func (c *rawClient) GetObject(ctx context.Context, in *awss3.GetObjectInput, _ ...func(*awss3.Options)) (*awss3.GetObjectOutput, error) {
	r := &rawRequest{method: http.MethodGet, key: *in.Key, query: "x-id=GetObject", header: newRawHeader(), sha256: emptySHA256}
	if in.VersionId != nil {
		r.query = versionQuery(*in.VersionId) + "&" + r.query
	}
	r.header.setOptional("Range", in.Range)
	r.setConditions(in.IfMatch, in.IfNoneMatch, in.ChecksumMode)
	if in.SSECustomerKey != nil {
		encryptionOf(in).customer.headers(r.header.set)
	}
	response, failed, err := c.send(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return c.account.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.replay)
	}
	out := outputOf(response)
	out.Body = response.Body
	return out, nil
}

// HeadObject does what the SDK's HeadObject does.
func (c *rawClient) HeadObject(ctx context.Context, in *awss3.HeadObjectInput, _ ...func(*awss3.Options)) (*awss3.GetObjectOutput, error) {
	r := &rawRequest{method: http.MethodHead, key: *in.Key, header: newRawHeader(), sha256: emptySHA256}
	if in.VersionId != nil {
		r.query = versionQuery(*in.VersionId)
	}
	r.setConditions(in.IfMatch, in.IfNoneMatch, in.ChecksumMode)
	if in.SSECustomerKey != nil {
		encryptionOf(in).customer.headers(r.header.set)
	}
	response, failed, err := c.send(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case failed != nil && failed.response != nil && failed.response.StatusCode == http.StatusNotFound:
		return nil, missing(failed.response)
	case failed != nil:
		return sdkClient{c.account.client}.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.replay)
	}
	_ = response.Body.Close()
	return outputOf(response), nil
}

// outputOf returns what the SDK reads of a response's header.
func outputOf(response *http.Response) *awss3.GetObjectOutput {
	h := response.Header
	out := &awss3.GetObjectOutput{
		CacheControl:       headerValue(h, "Cache-Control"),
		ChecksumCRC32C:     headerValue(h, crc32cHeader),
		ChecksumType:       types.ChecksumType(h.Get(checksumTypeHeader)),
		ContentDisposition: headerValue(h, "Content-Disposition"),
		ContentEncoding:    headerValue(h, "Content-Encoding"),
		ContentLanguage:    headerValue(h, "Content-Language"),
		ContentRange:       headerValue(h, "Content-Range"),
		ContentType:        headerValue(h, "Content-Type"),
		ETag:               headerValue(h, etagHeader),
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
	out.ServerSideEncryption, out.SSEKMSKeyId, out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = encryptionHeaders(h)
	out.ReplicationStatus = types.ReplicationStatus(h.Get(replicationHeader))
	if response.ContentLength >= 0 {
		out.ContentLength = &response.ContentLength
	}
	return out
}

func (r *rawRequest) setConditions(match, noneMatch *string, mode types.ChecksumMode) {
	r.header.setOptional("If-Match", match)
	r.header.setOptional("If-None-Match", noneMatch)
	if mode != "" {
		r.header.set("X-Amz-Checksum-Mode", string(mode))
	}
}

func versionQuery(id string) string { return string(appendEscaped([]byte("versionId="), id)) }

// contentTypeOrDefault returns the SDK's default content type for nil.
func contentTypeOrDefault(contentType *string) string {
	if contentType == nil {
		return "application/octet-stream"
	}
	return *contentType
}

// An sdkClient sends object requests with the SDK.
type sdkClient struct{ *awss3.Client }

// HeadObject returns the SDK's output in the form of GetObject.
func (c sdkClient) HeadObject(ctx context.Context, in *awss3.HeadObjectInput, opts ...func(*awss3.Options)) (*awss3.GetObjectOutput, error) {
	out, err := c.Client.HeadObject(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	return headOutput(out), nil
}

// headOutput returns the output of a HeadObject in the form of GetObject.
func headOutput(out *awss3.HeadObjectOutput) *awss3.GetObjectOutput {
	return &awss3.GetObjectOutput{
		CacheControl: out.CacheControl, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumType: out.ChecksumType,
		ContentDisposition: out.ContentDisposition, ContentEncoding: out.ContentEncoding, ContentLanguage: out.ContentLanguage,
		ContentLength: out.ContentLength, ContentType: out.ContentType, ETag: out.ETag, LastModified: out.LastModified,
		Metadata: out.Metadata, StorageClass: out.StorageClass, VersionId: out.VersionId,
		TagCount: out.TagCount, ObjectLockMode: out.ObjectLockMode, ObjectLockRetainUntilDate: out.ObjectLockRetainUntilDate,
		ObjectLockLegalHoldStatus: out.ObjectLockLegalHoldStatus, Restore: out.Restore,
		ServerSideEncryption: out.ServerSideEncryption, SSEKMSKeyId: out.SSEKMSKeyId,
		SSECustomerAlgorithm: out.SSECustomerAlgorithm, SSECustomerKeyMD5: out.SSECustomerKeyMD5, ReplicationStatus: out.ReplicationStatus,
	}
}

// The headers of requests and responses, in the form of http.CanonicalHeaderKey.
const (
	etagHeader         = "Etag"
	versionHeader      = "X-Amz-Version-Id"
	crc32cHeader       = "X-Amz-Checksum-Crc32c"
	checksumTypeHeader = "X-Amz-Checksum-Type"
	classHeader        = "X-Amz-Storage-Class"
	tagsHeader         = "X-Amz-Tagging"
	tagCountHeader     = "X-Amz-Tagging-Count"
	metadataHeader     = "X-Amz-Meta-"
)

// The header that says who pays for a request. A signed URL has it in its query, in
// lower case.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html
const (
	payerHeader = "X-Amz-Request-Payer"
	payerQuery  = "x-amz-request-payer"
	requester   = "requester"
)

// headerValue returns the value of a header, or nil.
func headerValue(h http.Header, name string) *string {
	if values := h[name]; len(values) > 0 {
		return &values[0]
	}
	return nil
}

// headerNumber returns the number in a header, or nil.
func headerNumber(h http.Header, name string) *int32 {
	if value := h.Get(name); value != "" {
		if n, err := strconv.ParseInt(value, 10, 32); err == nil {
			number := int32(n)
			return &number
		}
	}
	return nil
}

// headerTime returns the time in a header, or nil.
func headerTime(h http.Header, name string) *time.Time {
	if value := h.Get(name); value != "" {
		if at, err := http.ParseTime(value); err == nil {
			return &at
		}
	}
	return nil
}

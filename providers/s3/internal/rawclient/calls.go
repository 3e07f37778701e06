package rawclient

import (
	"context"
	"net/http"
	"strconv"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage/internal/urlpath"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// PutObject sends the same request as PutObject of the SDK's client. It also does what the
// middleware for request bodies in package s3 does.
func (c *Client) PutObject(
	ctx context.Context, in *awss3.PutObjectInput, _ ...func(*awss3.Options),
) (*awss3.PutObjectOutput, error) {
	r := &request{
		method: http.MethodPut,
		key:    *in.Key,
		query:  "x-id=PutObject",
		header: newHeader(),
		body:   in.Body,
		size:   *in.ContentLength,
		sha256: signature.UnsignedPayload,
	}
	h := &r.header
	h.set("Content-Type", contentTypeOrDefault(in.ContentType))
	h.setOptional("Content-Encoding", in.ContentEncoding)
	h.setOptional("Content-Disposition", in.ContentDisposition)
	h.setOptional("Content-Language", in.ContentLanguage)
	h.setOptional("Cache-Control", in.CacheControl)
	h.setOptional("If-Match", in.IfMatch)
	h.setOptional("If-None-Match", in.IfNoneMatch)
	h.setOptional("X-Amz-Checksum-Crc32c", in.ChecksumCRC32C)
	h.setOptional(TagsHeader, in.Tagging)
	SetLock(h.set, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus)
	if in.StorageClass != "" {
		h.set("X-Amz-Storage-Class", string(in.StorageClass))
	}
	if in.ACL != "" {
		h.set("X-Amz-Acl", string(in.ACL))
	}
	SetEncryption(h.set, in)
	for name, value := range in.Metadata {
		h.set(http.CanonicalHeaderKey(metadataHeader+name), value)
	}
	response, failed, err := c.sendBody(ctx, r)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return c.SDK.PutObject(ctx, &awss3.PutObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.replay)
	}
	received := response.Header
	out := &awss3.PutObjectOutput{
		ETag:           headerValue(received, ETagHeader),
		VersionId:      headerValue(received, versionHeader),
		ChecksumCRC32C: headerValue(received, crc32cHeader),
		ChecksumType:   types.ChecksumType(received.Get(checksumTypeHeader)),
	}
	out.ServerSideEncryption, out.SSEKMSKeyId, out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = encryptionHeaders(received)
	return out, nil
}

// UploadPart sends the same request as UploadPart of the SDK's client, with the middleware that
// package s3 adds to the SDK's client for request bodies. in.Body may be a [Trailed].
func (c *Client) UploadPart(
	ctx context.Context, in *awss3.UploadPartInput, _ ...func(*awss3.Options),
) (*awss3.UploadPartOutput, error) {
	query := append(strconv.AppendInt([]byte("partNumber="), int64(*in.PartNumber), 10), "&uploadId="...)
	query = append(urlpath.AppendAll(query, *in.UploadId), "&x-id=UploadPart"...)
	r := &request{
		method: http.MethodPut,
		key:    *in.Key,
		query:  string(query),
		header: newHeader(),
		body:   in.Body,
		size:   *in.ContentLength,
		sha256: signature.UnsignedPayload,
	}
	r.header.set("Content-Type", contentTypeOrDefault(nil))
	r.header.setOptional("X-Amz-Checksum-Crc32c", in.ChecksumCRC32C)
	if t, ok := in.Body.(*Trailed); ok {
		t.setHeaders(r)
	}
	SetCustomerKey(r.header.set, in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	response, failed, err := c.sendBody(ctx, r)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return c.SDK.UploadPart(
			ctx,
			&awss3.UploadPartInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber},
			failed.replay,
		)
	}
	return &awss3.UploadPartOutput{
		ETag:           headerValue(response.Header, ETagHeader),
		ChecksumCRC32C: headerValue(response.Header, crc32cHeader),
	}, nil
}

// GetObject sends the request that the SDK's GetObject sends. It does not validate the checksum of
// the response.
func (c *Client) GetObject(
	ctx context.Context, in *awss3.GetObjectInput, _ ...func(*awss3.Options),
) (*awss3.GetObjectOutput, error) {
	r := &request{
		method: http.MethodGet,
		key:    *in.Key,
		query:  "x-id=GetObject",
		header: newHeader(),
		sha256: signature.EmptySHA256,
	}
	if in.VersionId != nil {
		r.query = versionQuery(*in.VersionId) + "&" + r.query
	}
	r.header.setOptional("Range", in.Range)
	r.setConditions(in.IfMatch, in.IfNoneMatch, in.ChecksumMode)
	SetCustomerKey(r.header.set, in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	response, failed, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return c.SDK.GetObject(ctx, &awss3.GetObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.replay)
	}
	out := outputOf(response)
	out.Body = response.Body
	return out, nil
}

// HeadObject sends the request that the SDK's HeadObject sends.
func (c *Client) HeadObject(
	ctx context.Context, in *awss3.HeadObjectInput, _ ...func(*awss3.Options),
) (*awss3.GetObjectOutput, error) {
	r := &request{method: http.MethodHead, key: *in.Key, header: newHeader(), sha256: signature.EmptySHA256}
	if in.VersionId != nil {
		r.query = versionQuery(*in.VersionId)
	}
	r.setConditions(in.IfMatch, in.IfNoneMatch, in.ChecksumMode)
	SetCustomerKey(r.header.set, in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	response, failed, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if failed != nil && failed.response != nil && failed.response.StatusCode == http.StatusNotFound {
		return nil, missing(failed.response)
	}
	if failed != nil {
		out, err := c.SDK.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.replay)
		if err != nil {
			return nil, err
		}
		return HeadOutput(out), nil
	}
	_ = response.Body.Close()
	return outputOf(response), nil
}

// outputOf returns the output that the SDK makes of a response's header.
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
	out.ServerSideEncryption, out.SSEKMSKeyId, out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = encryptionHeaders(h)
	out.ReplicationStatus = types.ReplicationStatus(h.Get(replicationHeader))
	setArchived(out, h.Get("X-Amz-Archive-Status"))
	if response.ContentLength >= 0 {
		out.ContentLength = &response.ContentLength
	}
	return out
}

func (r *request) setConditions(match, noneMatch *string, mode types.ChecksumMode) {
	r.header.setOptional("If-Match", match)
	r.header.setOptional("If-None-Match", noneMatch)
	if mode != "" {
		r.header.set("X-Amz-Checksum-Mode", string(mode))
	}
}

func versionQuery(id string) string { return "versionId=" + urlpath.EscapeAll(id) }

func contentTypeOrDefault(contentType *string) string {
	if contentType == nil {
		return "application/octet-stream"
	}
	return *contentType
}

// HeadOutput returns the output of a HeadObject in the form of GetObject.
func HeadOutput(out *awss3.HeadObjectOutput) *awss3.GetObjectOutput {
	object := &awss3.GetObjectOutput{
		CacheControl:              out.CacheControl,
		ChecksumCRC32C:            out.ChecksumCRC32C,
		ChecksumType:              out.ChecksumType,
		ContentDisposition:        out.ContentDisposition,
		ContentEncoding:           out.ContentEncoding,
		ContentLanguage:           out.ContentLanguage,
		ContentLength:             out.ContentLength,
		ContentType:               out.ContentType,
		ETag:                      out.ETag,
		LastModified:              out.LastModified,
		Metadata:                  out.Metadata,
		StorageClass:              out.StorageClass,
		VersionId:                 out.VersionId,
		TagCount:                  out.TagCount,
		ObjectLockMode:            out.ObjectLockMode,
		ObjectLockRetainUntilDate: out.ObjectLockRetainUntilDate,
		ObjectLockLegalHoldStatus: out.ObjectLockLegalHoldStatus,
		Restore:                   out.Restore,
		ServerSideEncryption:      out.ServerSideEncryption,
		SSEKMSKeyId:               out.SSEKMSKeyId,
		SSECustomerAlgorithm:      out.SSECustomerAlgorithm,
		SSECustomerKeyMD5:         out.SSECustomerKeyMD5,
		ReplicationStatus:         out.ReplicationStatus,
	}
	setArchived(object, string(out.ArchiveStatus))
	return object
}

type archivedKey struct{}

// setArchived records that an object is in an archive tier of Intelligent-Tiering. The output of
// GetObject has no field for this.
func setArchived(out *awss3.GetObjectOutput, tier string) {
	if tier != "" {
		out.ResultMetadata.Set(archivedKey{}, true)
	}
}

// IsInArchiveTier reports whether a response says that the object is in an archive tier of Intelligent-Tiering.
func IsInArchiveTier(out *awss3.GetObjectOutput) bool { return out.ResultMetadata.Has(archivedKey{}) }

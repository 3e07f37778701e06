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

// PutObject is the SDK's.
func (l *lane) PutObject(ctx context.Context, in *awss3.PutObjectInput, opts ...func(*awss3.Options)) (*awss3.PutObjectOutput, error) {
	if l.wantsMD5() {
		return l.client.PutObject(ctx, in, opts...)
	}
	c := &laneCall{method: http.MethodPut, key: *in.Key, query: "x-id=PutObject", head: newHead(), body: in.Body, size: *in.ContentLength, sha256: unsignedPayload}
	h := &c.head
	h.put("Content-Type", orOctets(in.ContentType))
	h.maybe("Content-Encoding", in.ContentEncoding)
	h.maybe("Content-Disposition", in.ContentDisposition)
	h.maybe("Content-Language", in.ContentLanguage)
	h.maybe("Cache-Control", in.CacheControl)
	h.maybe("If-Match", in.IfMatch)
	h.maybe("If-None-Match", in.IfNoneMatch)
	h.maybe("X-Amz-Checksum-Crc32c", in.ChecksumCRC32C)
	if in.StorageClass != "" {
		h.put("X-Amz-Storage-Class", string(in.StorageClass))
	}
	if in.ACL != "" {
		h.put("X-Amz-Acl", string(in.ACL))
	}
	for name, value := range in.Metadata {
		h.put(http.CanonicalHeaderKey(metadataHeader+name), value)
	}
	response, failed, err := l.do(ctx, c)
	if err != nil {
		return nil, err
	}
	if failed == nil {
		failed = written(response)
	}
	if failed != nil {
		return l.client.PutObject(ctx, &awss3.PutObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.read)
	}
	answer := response.Header
	return &awss3.PutObjectOutput{
		ETag:           valueOf(answer, etagHeader),
		VersionId:      valueOf(answer, versionHeader),
		ChecksumCRC32C: valueOf(answer, crc32cHeader),
		ChecksumType:   types.ChecksumType(answer.Get(checksumTypeHeader)),
	}, nil
}

// UploadPart is the SDK's.
func (l *lane) UploadPart(ctx context.Context, in *awss3.UploadPartInput, opts ...func(*awss3.Options)) (*awss3.UploadPartOutput, error) {
	if l.wantsMD5() {
		return l.client.UploadPart(ctx, in, opts...)
	}
	query := append(strconv.AppendInt([]byte("partNumber="), int64(*in.PartNumber), 10), "&uploadId="...)
	query = append(appendEscaped(query, *in.UploadId), "&x-id=UploadPart"...)
	c := &laneCall{method: http.MethodPut, key: *in.Key, query: string(query), head: newHead(), body: in.Body, size: *in.ContentLength, sha256: unsignedPayload}
	c.head.put("Content-Type", orOctets(nil))
	c.head.maybe("X-Amz-Checksum-Crc32c", in.ChecksumCRC32C)
	response, failed, err := l.do(ctx, c)
	if err != nil {
		return nil, err
	}
	if failed == nil {
		failed = written(response)
	}
	if failed != nil {
		return l.client.UploadPart(ctx, &awss3.UploadPartInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber}, failed.read)
	}
	return &awss3.UploadPartOutput{
		ETag:           valueOf(response.Header, etagHeader),
		ChecksumCRC32C: valueOf(response.Header, crc32cHeader),
	}, nil
}

// GetObject is the SDK's, without its look at the checksum.
func (l *lane) GetObject(ctx context.Context, in *awss3.GetObjectInput, _ ...func(*awss3.Options)) (*awss3.GetObjectOutput, error) {
	c := &laneCall{method: http.MethodGet, key: *in.Key, query: "x-id=GetObject", head: newHead(), sha256: emptySHA256}
	if in.VersionId != nil {
		c.query = versionQuery(*in.VersionId) + "&" + c.query
	}
	c.head.maybe("Range", in.Range)
	c.conditions(in.IfMatch, in.IfNoneMatch, in.ChecksumMode)
	response, failed, err := l.do(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return l.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.read)
	}
	h := response.Header
	out := &awss3.GetObjectOutput{
		Body:               response.Body,
		CacheControl:       valueOf(h, "Cache-Control"),
		ChecksumCRC32C:     valueOf(h, crc32cHeader),
		ChecksumType:       types.ChecksumType(h.Get(checksumTypeHeader)),
		ContentDisposition: valueOf(h, "Content-Disposition"),
		ContentEncoding:    valueOf(h, "Content-Encoding"),
		ContentLanguage:    valueOf(h, "Content-Language"),
		ContentRange:       valueOf(h, "Content-Range"),
		ContentType:        valueOf(h, "Content-Type"),
		ETag:               valueOf(h, etagHeader),
		Metadata:           httpheader.Metadata(h, metadataHeader),
		StorageClass:       types.StorageClass(h.Get(classHeader)),
		VersionId:          valueOf(h, versionHeader),
	}
	if response.ContentLength >= 0 {
		out.ContentLength = &response.ContentLength
	}
	out.LastModified = timeOf(h, "Last-Modified")
	return out, nil
}

// HeadObject is the SDK's.
func (l *lane) HeadObject(ctx context.Context, in *awss3.HeadObjectInput, _ ...func(*awss3.Options)) (*awss3.HeadObjectOutput, error) {
	c := &laneCall{method: http.MethodHead, key: *in.Key, head: newHead(), sha256: emptySHA256}
	if in.VersionId != nil {
		c.query = versionQuery(*in.VersionId)
	}
	c.conditions(in.IfMatch, in.IfNoneMatch, in.ChecksumMode)
	response, failed, err := l.do(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return l.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key}, failed.read)
	}
	_ = response.Body.Close()
	h := response.Header
	out := &awss3.HeadObjectOutput{
		CacheControl:       valueOf(h, "Cache-Control"),
		ChecksumCRC32C:     valueOf(h, crc32cHeader),
		ChecksumType:       types.ChecksumType(h.Get(checksumTypeHeader)),
		ContentDisposition: valueOf(h, "Content-Disposition"),
		ContentEncoding:    valueOf(h, "Content-Encoding"),
		ContentLanguage:    valueOf(h, "Content-Language"),
		ContentType:        valueOf(h, "Content-Type"),
		ETag:               valueOf(h, etagHeader),
		Metadata:           httpheader.Metadata(h, metadataHeader),
		StorageClass:       types.StorageClass(h.Get(classHeader)),
		VersionId:          valueOf(h, versionHeader),
	}
	if response.ContentLength >= 0 {
		out.ContentLength = &response.ContentLength
	}
	out.LastModified = timeOf(h, "Last-Modified")
	return out, nil
}

// wantsMD5: a body of which an MD5 goes ahead is read twice, which is the SDK's
// to do.
func (a *account) wantsMD5() bool { return a.profile.Checksum == ChecksumNone && a.profile.ContentMD5 }

func (c *laneCall) conditions(match, noneMatch *string, mode types.ChecksumMode) {
	c.head.maybe("If-Match", match)
	c.head.maybe("If-None-Match", noneMatch)
	if mode != "" {
		c.head.put("X-Amz-Checksum-Mode", string(mode))
	}
}

func versionQuery(id string) string { return string(appendEscaped([]byte("versionId="), id)) }

// orOctets is what the SDK says of a body of which nothing is said.
func orOctets(contentType *string) string {
	if contentType == nil {
		return "application/octet-stream"
	}
	return *contentType
}

// The headers that an answer has, in the form of http.CanonicalHeaderKey.
const (
	etagHeader         = "Etag"
	versionHeader      = "X-Amz-Version-Id"
	crc32cHeader       = "X-Amz-Checksum-Crc32c"
	checksumTypeHeader = "X-Amz-Checksum-Type"
	classHeader        = "X-Amz-Storage-Class"
	metadataHeader     = "X-Amz-Meta-"
)

// Who pays for a request, in its header; an address has it in its query, in lower
// case. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html
const (
	payerHeader = "X-Amz-Request-Payer"
	payerQuery  = "x-amz-request-payer"
	requester   = "requester"
)

// valueOf is a header's value, or nil.
func valueOf(h http.Header, name string) *string {
	if values := h[name]; len(values) > 0 {
		return &values[0]
	}
	return nil
}

// timeOf is the time in a header, or nil.
func timeOf(h http.Header, name string) *time.Time {
	if value := h.Get(name); value != "" {
		if at, err := http.ParseTime(value); err == nil {
			return &at
		}
	}
	return nil
}

package rawclient

import (
	"net/http"
	"strconv"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The headers of requests and responses, in the form of http.CanonicalHeaderKey.
const (
	ETagHeader         = "Etag"
	versionHeader      = "X-Amz-Version-Id"
	crc32cHeader       = "X-Amz-Checksum-Crc32c"
	checksumTypeHeader = "X-Amz-Checksum-Type"
	classHeader        = "X-Amz-Storage-Class"
	TagsHeader         = "X-Amz-Tagging"
	tagCountHeader     = "X-Amz-Tagging-Count"
	metadataHeader     = "X-Amz-Meta-"
	PayerHeader        = "X-Amz-Request-Payer"
	OwnerHeader        = "X-Amz-Expected-Bucket-Owner"
	replicationHeader  = "X-Amz-Replication-Status"
)

// These are the headers of object lock.
const (
	lockModeHeader  = "X-Amz-Object-Lock-Mode"
	lockUntilHeader = "X-Amz-Object-Lock-Retain-Until-Date"
	legalHoldHeader = "X-Amz-Object-Lock-Legal-Hold"

	lockUntilTime = "2006-01-02T15:04:05Z"
)

// The headers of encryption.
const (
	sseHeader         = "X-Amz-Server-Side-Encryption"
	kmsKeyHeader      = sseHeader + "-Aws-Kms-Key-Id"
	kmsContextHeader  = sseHeader + "-Context"
	bucketKeyHeader   = sseHeader + "-Bucket-Key-Enabled"
	customerHeader    = sseHeader + "-Customer-Algorithm"
	customerKeyHeader = sseHeader + "-Customer-Key"
	customerMD5Header = sseHeader + "-Customer-Key-Md5"
)

// SetLock calls set with the headers that lock a new object. An empty value sets no header, and a
// mode is set only with its time.
func SetLock(
	set func(name, value string), mode types.ObjectLockMode, retainUntil *time.Time, hold types.ObjectLockLegalHoldStatus,
) {
	if mode != "" && retainUntil != nil {
		set(lockModeHeader, string(mode))
		set(lockUntilHeader, retainUntil.UTC().Format(lockUntilTime))
	}
	if hold != "" {
		set(legalHoldHeader, string(hold))
	}
}

// lockTime returns the time until which an object is locked, or nil if the header has none.
func lockTime(h http.Header) *time.Time {
	if value := h.Get(lockUntilHeader); value != "" {
		if end, err := time.Parse(time.RFC3339, value); err == nil {
			return &end
		}
	}
	return nil
}

// SetEncryption calls set with each encryption header for which the SDK's input has a value.
func SetEncryption(set func(name, value string), input *awss3.PutObjectInput) {
	if input.ServerSideEncryption != "" {
		set(sseHeader, string(input.ServerSideEncryption))
	}
	setOptional(set, kmsKeyHeader, input.SSEKMSKeyId)
	setOptional(set, kmsContextHeader, input.SSEKMSEncryptionContext)
	if input.BucketKeyEnabled != nil && *input.BucketKeyEnabled {
		set(bucketKeyHeader, "true")
	}
	SetCustomerKey(set, input.SSECustomerAlgorithm, input.SSECustomerKey, input.SSECustomerKeyMD5)
}

// SetCustomerKey passes the headers of a customer's key (SSE-C) to the function set. It omits a
// header if its value is nil.
func SetCustomerKey(set func(name, value string), algorithm, key, md5 *string) {
	setOptional(set, customerHeader, algorithm)
	setOptional(set, customerKeyHeader, key)
	setOptional(set, customerMD5Header, md5)
}

func setOptional(set func(name, value string), name string, value *string) {
	if value != nil {
		set(name, *value)
	}
}

func encryptionHeaders(h http.Header) (sse types.ServerSideEncryption, kmsKey, customerAlgorithm, customerMD5 *string) {
	return types.ServerSideEncryption(h.Get(sseHeader)), headerValue(h, kmsKeyHeader),
		headerValue(h, customerHeader), headerValue(h, customerMD5Header)
}

// headerValue returns the value of a header, or nil if there is none.
func headerValue(h http.Header, name string) *string {
	if values := h[name]; len(values) > 0 {
		return &values[0]
	}
	return nil
}

// headerNumber returns the number in a header, or nil if the header is missing or has no number.
func headerNumber(h http.Header, name string) *int32 {
	value := h.Get(name)
	if value == "" {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return nil
	}
	return new(int32(n))
}

// headerTime returns the time in a header, or nil if the header is missing or has no time.
func headerTime(h http.Header, name string) *time.Time {
	value := h.Get(name)
	if value == "" {
		return nil
	}
	t, err := http.ParseTime(value)
	if err != nil {
		return nil
	}
	return &t
}

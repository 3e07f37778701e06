package s3

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
)

// customizeSource applies the options for reading the source of a copy.
func customizeSource(input any, native []any) {
	var f customerFields
	switch in := input.(type) {
	case *awss3.CopyObjectInput:
		f = customerFields{&in.CopySourceSSECustomerAlgorithm, &in.CopySourceSSECustomerKey, &in.CopySourceSSECustomerKeyMD5}
	case *awss3.UploadPartCopyInput:
		f = customerFields{&in.CopySourceSSECustomerAlgorithm, &in.CopySourceSSECustomerKey, &in.CopySourceSSECustomerKeyMD5}
	}
	for _, value := range native {
		if k, is := value.(*customerKey); is {
			k.set(f)
		}
	}
}

// customerFields are the fields of an input for a customer's key; nil if it has none.
type customerFields struct{ algorithm, key, md5 **string }

// encryptionFields are the fields of an input for encryption.
type encryptionFields struct {
	sse             *types.ServerSideEncryption // nil if the input has only a customer's key
	kmsKey, context **string
	bucketKey       **bool
	customer        customerFields
}

// encryptionOf returns the fields of an input of the SDK. Those of a request that stores no
// object are only for a customer's key.
func encryptionOf(input any) (f encryptionFields) {
	switch in := input.(type) {
	case *awss3.PutObjectInput:
		f = encryptionFields{&in.ServerSideEncryption, &in.SSEKMSKeyId, &in.SSEKMSEncryptionContext, &in.BucketKeyEnabled,
			customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}}
	case *awss3.CreateMultipartUploadInput:
		f = encryptionFields{&in.ServerSideEncryption, &in.SSEKMSKeyId, &in.SSEKMSEncryptionContext, &in.BucketKeyEnabled,
			customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}}
	case *awss3.CopyObjectInput:
		f = encryptionFields{&in.ServerSideEncryption, &in.SSEKMSKeyId, &in.SSEKMSEncryptionContext, &in.BucketKeyEnabled,
			customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}}
	case *awss3.UploadPartInput:
		f.customer = customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}
	case *awss3.UploadPartCopyInput:
		f.customer = customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}
	case *awss3.CompleteMultipartUploadInput:
		f.customer = customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}
	case *awss3.GetObjectInput:
		f.customer = customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}
	case *awss3.HeadObjectInput:
		f.customer = customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5}
	}
	return f
}

// The headers of encryption, in the form of http.CanonicalHeaderKey.
const (
	sseHeader         = "X-Amz-Server-Side-Encryption"
	kmsKeyHeader      = sseHeader + "-Aws-Kms-Key-Id"
	kmsContextHeader  = sseHeader + "-Context"
	bucketKeyHeader   = sseHeader + "-Bucket-Key-Enabled"
	customerHeader    = sseHeader + "-Customer-Algorithm"
	customerKeyHeader = sseHeader + "-Customer-Key"
	customerMD5Header = sseHeader + "-Customer-Key-Md5"
	replicationHeader = "X-Amz-Replication-Status"
)

// headers calls set with the headers of the fields that have a value.
func (f encryptionFields) headers(set func(name, value string)) {
	if f.sse != nil {
		if *f.sse != "" {
			set(sseHeader, string(*f.sse))
		}
		setOptional(set, kmsKeyHeader, *f.kmsKey)
		setOptional(set, kmsContextHeader, *f.context)
		if *f.bucketKey != nil && **f.bucketKey {
			set(bucketKeyHeader, "true")
		}
	}
	f.customer.headers(set)
}

func (f customerFields) headers(set func(name, value string)) {
	setOptional(set, customerHeader, *f.algorithm)
	setOptional(set, customerKeyHeader, *f.key)
	setOptional(set, customerMD5Header, *f.md5)
}

func setOptional(set func(name, value string), name string, value *string) {
	if value != nil {
		set(name, *value)
	}
}

// encryptionIn returns how a response says that the object is encrypted.
func encryptionIn(sse types.ServerSideEncryption, kmsKey, customer, customerMD5 *string) storage.Encryption {
	if customer != nil {
		return storage.Encryption{Algorithm: *customer, KeyID: aws.ToString(customerMD5)}
	}
	return storage.Encryption{Algorithm: string(sse), KeyID: aws.ToString(kmsKey)}
}

// encryptionHeaders reads the headers of a response.
func encryptionHeaders(h http.Header) (sse types.ServerSideEncryption, kmsKey, customer, customerMD5 *string) {
	return types.ServerSideEncryption(h.Get(sseHeader)), headerValue(h, kmsKeyHeader), headerValue(h, customerHeader), headerValue(h, customerMD5Header)
}

package state

import (
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/hexid"
)

// These are the headers for encryption. The headers for a customer's key begin with CustomerPrefix.
const (
	SSEHeader       = "X-Amz-Server-Side-Encryption"
	KmsKeyHeader    = SSEHeader + "-Aws-Kms-Key-Id"
	BucketKeyHeader = SSEHeader + "-Bucket-Key-Enabled"
	CustomerPrefix  = SSEHeader + "-Customer"
)

const (
	ByStore, ByKMS, ByKMSTwice = "AES256", "aws:kms", "aws:kms:dsse"
)

// An Encryption is the encryption that a client requested for an object. The server reports it as
// AWS does, but does not encrypt the object.
type Encryption struct {
	Algorithm   string // [ByStore], [ByKMS] or [ByKMSTwice]; "" with a customer's key
	KMSKey      string
	BucketKey   bool
	CustomerMD5 string // MD5 of the customer's key, in base64
}

// Write adds the encryption to the headers of a response.
func (e Encryption) Write(header http.Header) {
	if e.CustomerMD5 != "" {
		header.Set(CustomerPrefix+"-Algorithm", "AES256")
		header.Set(CustomerPrefix+"-Key-Md5", e.CustomerMD5)
		return
	}
	header.Set(SSEHeader, e.Algorithm)
	if e.KMSKey != "" {
		header.Set(KmsKeyHeader, e.KMSKey)
	}
	if e.BucketKey {
		header.Set(BucketKeyHeader, "true")
	}
}

// Tag returns the entity tag of an object or part with this MD5, which is in quotes. With KMS or a
// customer's key, the entity tag is random instead, as on AWS.
func (e Encryption) Tag(md5 string) string {
	if e.CustomerMD5 == "" && e.Algorithm == ByStore {
		return md5
	}

	// The entity tag of a multipart upload ends with the number of its parts, as in "<md5>-3".
	_, count, _ := strings.Cut(strings.Trim(md5, `"`), "-")
	if count != "" {
		count = "-" + count
	}
	return `"` + hexid.New(16) + count + `"`
}

// An EncryptionRule is the default encryption of a bucket. It applies to writes that request no
// encryption.
type EncryptionRule struct {
	ApplyServerSideEncryptionByDefault *DefaultEncryption
	BucketKeyEnabled                   bool
	BlockedEncryptionTypes             *struct{ EncryptionType []string } // "SSE-C" or "NONE"
}

// A DefaultEncryption is an algorithm and, for KMS, a key.
type DefaultEncryption struct {
	SSEAlgorithm   string
	KMSMasterKeyID string `xml:",omitempty"`
}

// BlocksCustomerKeys reports whether the bucket refuses customers' keys (SSE-C).
func (e *EncryptionRule) BlocksCustomerKeys() bool {
	return e != nil && e.BlockedEncryptionTypes != nil && slices.Contains(e.BlockedEncryptionTypes.EncryptionType, "SSE-C")
}

// ApplyDefault returns the encryption for a write that requests no algorithm: that of the bucket's rule, or
// ByStore if the bucket has no rule. enc is the encryption from the headers of the write. If these include
// BucketKeyHeader, enc.BucketKey stays as it is, and otherwise the rule decides.
func (e *EncryptionRule) ApplyDefault(enc Encryption, hasBucketKeyHeader bool) Encryption {
	enc.Algorithm = ByStore
	if e == nil || e.ApplyServerSideEncryptionByDefault == nil {
		return enc
	}

	byDefault := e.ApplyServerSideEncryptionByDefault
	enc.Algorithm = byDefault.SSEAlgorithm
	enc.KMSKey = byDefault.KMSMasterKeyID
	if !hasBucketKeyHeader {
		enc.BucketKey = e.BucketKeyEnabled && byDefault.SSEAlgorithm == ByKMS
	}
	return enc
}

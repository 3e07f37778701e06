package state

import (
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/hexid"
)

// The headers of encryption. Those of a customer's key have a suffix.
const (
	SSEHeader       = "X-Amz-Server-Side-Encryption"
	KmsKeyHeader    = SSEHeader + "-Aws-Kms-Key-Id"
	BucketKeyHeader = SSEHeader + "-Bucket-Key-Enabled"
	CustomerPrefix  = SSEHeader + "-Customer"
)

const (
	ByStore, ByKMS, ByKMSTwice = "AES256", "aws:kms", "aws:kms:dsse"
)

// An Encryption is the encryption of an object. The server follows the rules for it, but does
// not encrypt the object.
type Encryption struct {
	Algorithm   string // [ByStore], [ByKMS] or [ByKMSTwice]; "" with a customer's key
	KMSKey      string
	BucketKey   bool
	CustomerMD5 string // MD5 of the customer's key, in base64
}

// Write writes the headers of a response.
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

// Tag returns the entity tag of an encrypted object or part, whose MD5 is md5 in quotes: with KMS or
// a customer's key it is not the MD5.
func (e Encryption) Tag(md5 string) string {
	if e.CustomerMD5 == "" && e.Algorithm == ByStore {
		return md5
	}
	_, count, _ := strings.Cut(strings.Trim(md5, `"`), "-")
	if count != "" {
		count = "-" + count
	}
	return `"` + hexid.New(16) + count + `"`
}

// An EncryptionRule says how a bucket encrypts objects whose writes ask for none.
type EncryptionRule struct {
	ApplyServerSideEncryptionByDefault *DefaultEncryption
	BucketKeyEnabled                   bool
	BlockedEncryptionTypes             *struct{ EncryptionType []string } // "SSE-C" or "NONE"
}

// A DefaultEncryption is the encryption of an object whose write asks for none.
type DefaultEncryption struct {
	SSEAlgorithm   string
	KMSMasterKeyID string `xml:",omitempty"`
}

// BlocksCustomerKeys reports whether the bucket refuses SSE-C.
func (e *EncryptionRule) BlocksCustomerKeys() bool {
	return e != nil && e.BlockedEncryptionTypes != nil && slices.Contains(e.BlockedEncryptionTypes.EncryptionType, "SSE-C")
}

// Standard returns the encryption of an object whose write asks for none. keyed says that the
// write has the header about bucket keys, which then decides.
func (e *EncryptionRule) Standard(asked Encryption, keyed bool) Encryption {
	asked.Algorithm = ByStore
	if e == nil || e.ApplyServerSideEncryptionByDefault == nil {
		return asked
	}
	d := e.ApplyServerSideEncryptionByDefault
	asked.Algorithm, asked.KMSKey = d.SSEAlgorithm, d.KMSMasterKeyID
	if !keyed {
		asked.BucketKey = e.BucketKeyEnabled && d.SSEAlgorithm == ByKMS
	}
	return asked
}

package operations

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

const (
	kmsContextHeader = state.SSEHeader + "-Context"
	// sourcePrefix begins the names of the headers that have the customer's encryption key for the
	// source of a copy.
	sourcePrefix = "X-Amz-Copy-Source-Server-Side-Encryption-Customer"
)

// readEncryption returns the encryption that a write to bucket b asks for, or else the default encryption
// of the bucket.
func readEncryption(r *request.Request, header http.Header, b *state.Bucket) (state.Encryption, error) {
	customerKey, err := readCustomerKey(r, header, state.CustomerPrefix)
	if err != nil {
		return state.Encryption{}, err
	}
	e := state.Encryption{
		Algorithm:   header.Get(state.SSEHeader),
		KMSKey:      header.Get(state.KmsKeyHeader),
		CustomerMD5: customerKey,
		BucketKey:   request.IsTrue(header, state.BucketKeyHeader),
	}

	// A customer's key excludes the other encryptions.
	if customerKey != "" {
		return e, checkOnlyCustomerKey(e, b)
	}
	if err := checkAlgorithm(e, header.Get(kmsContextHeader)); err != nil {
		return e, err
	}
	if e.Algorithm == "" {
		hasBucketKeyHeader := header.Get(state.BucketKeyHeader) != ""
		e = b.Encryption.ApplyDefault(e, hasBucketKeyHeader)
	}
	if e.Algorithm == state.ByStore {
		return e, nil
	}

	// The default key of KMS is the one that AWS manages for the account that owns the bucket.
	managedKey := "arn:aws:kms:" + b.Region + ":" + b.Account + ":alias/aws/s3"
	e.KMSKey = cmp.Or(e.KMSKey, managedKey)
	// Without a list of keys, the server accepts every key.
	keys := r.Server.KMSKeys
	if keys != nil && e.KMSKey != managedKey && !slices.Contains(keys, e.KMSKey) {
		return e, s3error.New("KMS.NotFoundException").WithMessage("Key '%s' does not exist", e.KMSKey)
	}
	return e, checkContext(header.Get(kmsContextHeader))
}

// checkOnlyCustomerKey fails if the headers of a write have another encryption beside the customer's key,
// or if the bucket blocks customers' keys.
func checkOnlyCustomerKey(e state.Encryption, b *state.Bucket) error {
	if e.Algorithm != "" || e.KMSKey != "" {
		return s3error.New("InvalidArgument").WithMessage(
			"Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
		)
	}
	if b.Encryption.BlocksCustomerKeys() {
		return s3error.New("AccessDenied")
	}
	return nil
}

// checkAlgorithm fails if the headers of a write name an unknown algorithm, or a key or a context of KMS
// without an algorithm of KMS. Headers without an algorithm are valid.
func checkAlgorithm(e state.Encryption, kmsContext string) error {
	isKMS := e.Algorithm == state.ByKMS || e.Algorithm == state.ByKMSTwice
	if isKMS {
		return nil
	}
	if e.KMSKey != "" || kmsContext != "" {
		return s3error.New("InvalidArgument").WithMessage(
			"Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
		)
	}
	if e.Algorithm != "" && e.Algorithm != state.ByStore {
		return s3error.New(
			"InvalidEncryptionAlgorithmError", "ArgumentName", "x-amz-server-side-encryption", "ArgumentValue",
			e.Algorithm,
		)
	}
	return nil
}

// checkContext fails if value is neither "" nor an encryption context, which is the base64 of a JSON
// object of strings.
func checkContext(value string) error {
	if value == "" {
		return nil
	}

	text, err := base64.StdEncoding.DecodeString(value)
	var pairs map[string]string
	if err != nil || json.Unmarshal(text, &pairs) != nil {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-server-side-encryption-context").WithMessage(
			"The header 'x-amz-server-side-encryption-context' must be the base64 of a JSON object of strings",
		)
	}
	return nil
}

// readCustomerKey checks the customer's encryption key in the headers that begin with prefix, and returns
// the key's MD5, or "" if there is no key.
func readCustomerKey(r *request.Request, header http.Header, prefix string) (string, error) {
	algorithm := header.Get(prefix + "-Algorithm")
	key := header.Get(prefix + "-Key")
	sum := header.Get(prefix + "-Key-Md5")
	if algorithm == "" && key == "" && sum == "" {
		return "", nil
	}

	invalid := func(message string) error {
		return s3error.New("InvalidArgument").WithMessage("%s", message)
	}

	// A key must not be sent over a connection that others can read.
	if r.HTTP.TLS == nil {
		return "", s3error.New("InvalidRequest").WithMessage(
			"Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.",
		)
	}

	if algorithm == "" {
		return "", invalid(
			"Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.",
		)
	}
	if algorithm != "AES256" {
		return "", s3error.New(
			"InvalidEncryptionAlgorithmError", "ArgumentName", "x-amz-server-side-encryption", "ArgumentValue",
			algorithm,
		)
	}
	if key == "" {
		return "", invalid(
			"Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.",
		)
	}

	const keySize = 32 // of AES-256
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != keySize {
		return "", invalid("The secret key was invalid for the specified algorithm.")
	}
	hash := md5.Sum(raw)
	if sum != base64.StdEncoding.EncodeToString(hash[:]) {
		return "", invalid("The calculated MD5 hash of the key did not match the hash that was provided.")
	}
	return sum, nil
}

// checkReadKey fails if the customer's encryption key in the headers that begin with prefix is not that of
// the object, or if only one of both has such a key.
func checkReadKey(r *request.Request, e state.Encryption, prefix string) error {
	keyMD5, err := readCustomerKey(r, r.HTTP.Header, prefix)
	if err != nil {
		return err
	}
	if keyMD5 == e.CustomerMD5 {
		return nil
	}

	// Either the request has no key, or the object has none, or the two differ.
	if keyMD5 == "" {
		return s3error.New("InvalidRequest").WithMessage(
			"The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
		)
	}
	if e.CustomerMD5 == "" {
		return s3error.New("InvalidRequest").WithMessage("The encryption parameters are not applicable to this object.")
	}
	return s3error.New("AccessDenied")
}

// repeatsEncryption reports whether headers name the algorithm of an encryption. They may also name its key, by the
// whole ARN of the key or by any end of it.
func repeatsEncryption(header http.Header, e state.Encryption) bool {
	hasAlgorithm := header.Get(state.SSEHeader) == e.Algorithm
	return hasAlgorithm && strings.HasSuffix(e.KMSKey, header.Get(state.KmsKeyHeader))
}

// checkPartKey fails if the customer's encryption key in a request is not that of the upload, or if the
// request asks for another encryption.
func checkPartKey(r *request.Request, u *state.Upload) error {
	// S3 accepts no other headers for encryption than those of the customer's key. Like MinIO, a server that is not
	// strict accepts headers that repeat the encryption of the upload.
	encryption := u.Object.Encryption
	isAccepted := !r.Server.Strict && repeatsEncryption(r.HTTP.Header, encryption)
	if !isAccepted {
		if err := rejectEncryptionHeaders(r.HTTP.Header); err != nil {
			return err
		}
	}

	keyMD5, err := readCustomerKey(r, r.HTTP.Header, state.CustomerPrefix)
	if err != nil {
		return err
	}
	if keyMD5 == encryption.CustomerMD5 {
		return nil
	}
	if keyMD5 == "" {
		return s3error.New("InvalidRequest").WithMessage(
			"The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.",
		)
	}
	return s3error.New("InvalidRequest").
		WithMessage("The provided encryption parameters did not match the ones used originally.")
}

// rejectEncryptionHeaders fails if a request that writes no object has headers for encryption.
func rejectEncryptionHeaders(header http.Header) error {
	for _, name := range []string{state.SSEHeader, state.KmsKeyHeader, kmsContextHeader, state.BucketKeyHeader} {
		if value := header.Get(name); value != "" {
			return s3error.New("InvalidArgument", "ArgumentName", strings.ToLower(name), "ArgumentValue", value).
				WithMessage("%s header is not supported for this operation.", strings.ToLower(name))
		}
	}
	return nil
}

type encryptionConfiguration struct {
	XMLName xml.Name `xml:"ServerSideEncryptionConfiguration"`
	Rule    []state.EncryptionRule
}

// Check fails if AWS would refuse this configuration of a bucket's default encryption, which must have exactly one
// rule.
func (c *encryptionConfiguration) Check() error {
	if len(c.Rule) != 1 {
		return s3error.New("MalformedXML")
	}
	if b := c.Rule[0].BlockedEncryptionTypes; b != nil {
		for _, kind := range b.EncryptionType {
			if kind != "SSE-C" && kind != "NONE" {
				return s3error.New("MalformedXML")
			}
			hasOthers := len(b.EncryptionType) > 1
			if kind == "NONE" && hasOthers {
				return s3error.New("MalformedXML")
			}
		}
	}

	byDefault := c.Rule[0].ApplyServerSideEncryptionByDefault
	if byDefault == nil {
		return nil
	}
	if !slices.Contains([]string{state.ByStore, state.ByKMS, state.ByKMSTwice}, byDefault.SSEAlgorithm) {
		return s3error.New("MalformedXML")
	}
	if byDefault.SSEAlgorithm == state.ByStore && byDefault.KMSMasterKeyID != "" {
		return s3error.New("InvalidArgument", "ArgumentName", "ApplyServerSideEncryptionByDefault").
			WithMessage("a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
	}
	return nil
}

// getBucketEncryption returns the default encryption of the bucket. It is AES256 if none was set, because
// AWS encrypts all buckets since January 2023.
func getBucketEncryption(b *state.Bucket) (any, error) {
	var rule state.EncryptionRule
	if b.Encryption != nil {
		rule = *b.Encryption
	}
	if rule.ApplyServerSideEncryptionByDefault == nil {
		rule.ApplyServerSideEncryptionByDefault = &state.DefaultEncryption{SSEAlgorithm: state.ByStore}
	}
	return encryptionConfiguration{Rule: []state.EncryptionRule{rule}}, nil
}

// hasEncryptionRule reports whether the bucket's default encryption was set explicitly. If so, AWS
// permits copying an object to itself.
func hasEncryptionRule(r *request.Request) bool {
	b, err := r.Bucket()
	return err == nil && b.Encryption != nil
}

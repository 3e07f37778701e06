package s3server

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// The headers of encryption. Those of a customer's key have a suffix, also after the prefix of a
// copy's source.
const (
	sseHeader        = "X-Amz-Server-Side-Encryption"
	kmsKeyHeader     = sseHeader + "-Aws-Kms-Key-Id"
	kmsContextHeader = sseHeader + "-Context"
	bucketKeyHeader  = sseHeader + "-Bucket-Key-Enabled"
	customerPrefix   = sseHeader + "-Customer"
	sourcePrefix     = "X-Amz-Copy-Source-Server-Side-Encryption-Customer"
)

const (
	byStore, byKMS, byKMSTwice = "AES256", "aws:kms", "aws:kms:dsse"
)

// An encryption says how an object is encrypted, which it is not: only the rules are kept.
type encryption struct {
	algorithm   string // byStore, byKMS or byKMSTwice; "" with a customer's key
	kmsKey      string
	bucketKey   bool
	customerMD5 string // of the customer's key, in base64
}

// readEncryption reads how a write wants its object encrypted. If it does not say, the rule of the
// bucket decides.
func readEncryption(r *request, header http.Header, rule *encryptionRule) (encryption, error) {
	customer, err := readCustomerKey(r, header, customerPrefix)
	if err != nil {
		return encryption{}, err
	}
	e := encryption{algorithm: header.Get(sseHeader), kmsKey: header.Get(kmsKeyHeader), customerMD5: customer, bucketKey: isTrue(header, bucketKeyHeader)}
	kms := e.algorithm == byKMS || e.algorithm == byKMSTwice
	switch {
	case customer != "" && (e.algorithm != "" || e.kmsKey != ""):
		return e, s3error.New("InvalidArgument").WithMessage("Server Side Encryption with Customer provided key is incompatible with the encryption method specified")
	case customer != "" && rule.blocksCustomerKeys():
		return e, s3error.New("AccessDenied")
	case customer != "":
		return e, nil
	case !kms && (e.kmsKey != "" || header.Get(kmsContextHeader) != ""):
		return e, s3error.New("InvalidArgument").WithMessage("Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	case e.algorithm == "":
		e = rule.standard(e, header.Get(bucketKeyHeader) != "")
	case !kms && e.algorithm != byStore:
		return e, s3error.New("InvalidEncryptionAlgorithmError", "ArgumentName", "x-amz-server-side-encryption", "ArgumentValue", e.algorithm)
	}
	if e.algorithm == byStore {
		return e, nil
	}
	managed, err := managedKey(r)
	if err != nil {
		return e, err
	}
	setDefault(&e.kmsKey, managed)
	if keys := r.server.config.KMSKeys; keys != nil && e.kmsKey != managed && !slices.Contains(keys, e.kmsKey) {
		return e, s3error.New("KMS.NotFoundException").WithMessage("Key '%s' does not exist", e.kmsKey)
	}
	return e, checkContext(header.Get(kmsContextHeader))
}

// managedKey returns AWS's own key in the account of the bucket.
func managedKey(r *request) (key string, err error) {
	err = r.view(func(b *bucket) error {
		key = "arn:aws:kms:" + b.region + ":" + b.account + ":alias/aws/s3"
		return nil
	})
	return key, err
}

// checkContext checks an encryption context: base64 of a JSON object of texts.
func checkContext(value string) error {
	if value == "" {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(value)
	var pairs map[string]string
	if err != nil || json.Unmarshal(text, &pairs) != nil {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-server-side-encryption-context").WithMessage("The header 'x-amz-server-side-encryption-context' must be the base64 of a JSON object of strings")
	}
	return nil
}

// readCustomerKey returns the MD5 of the customer's key in the headers that begin with prefix, or "".
func readCustomerKey(r *request, header http.Header, prefix string) (string, error) {
	algorithm, key, sum := header.Get(prefix+"-Algorithm"), header.Get(prefix+"-Key"), header.Get(prefix+"-Key-Md5")
	if algorithm == "" && key == "" && sum == "" {
		return "", nil
	}
	invalid := func(message string) error { return s3error.New("InvalidArgument").WithMessage("%s", message) }
	raw, err := base64.StdEncoding.DecodeString(key)
	hash := md5.Sum(raw)
	switch {
	case r.TLS == nil:
		return "", s3error.New("InvalidRequest").WithMessage("Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.")
	case algorithm == "":
		return "", invalid("Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.")
	case algorithm != "AES256":
		return "", s3error.New("InvalidEncryptionAlgorithmError", "ArgumentName", "x-amz-server-side-encryption", "ArgumentValue", algorithm)
	case key == "":
		return "", invalid("Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.")
	case err != nil || len(raw) != 32:
		return "", invalid("The secret key was invalid for the specified algorithm.")
	case sum != base64.StdEncoding.EncodeToString(hash[:]):
		return "", invalid("The calculated MD5 hash of the key did not match the hash that was provided.")
	}
	return sum, nil
}

// checkReader fails unless the headers that begin with prefix have the key of the object.
func checkReader(r *request, e encryption, prefix string) error {
	given, err := readCustomerKey(r, r.Header, prefix)
	switch {
	case err != nil:
		return err
	case given == e.customerMD5:
		return nil
	case given == "":
		return s3error.New("InvalidRequest").WithMessage("The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	case e.customerMD5 == "":
		return s3error.New("InvalidRequest").WithMessage("The encryption parameters are not applicable to this object.")
	}
	return s3error.New("AccessDenied")
}

// checkPart fails unless a request of an upload has the upload's key. A completion needs it only if
// the upload has a checksum.
func checkPart(r *request, u *upload) error {
	// MinIO takes the algorithm of the upload again.
	again := r.Header.Get(sseHeader) == u.object.encryption.algorithm && strings.HasSuffix(u.object.encryption.kmsKey, r.Header.Get(kmsKeyHeader))
	if r.server.config.Strict || !again {
		if err := noEncryption(r.Header); err != nil {
			return err
		}
	}
	given, err := readCustomerKey(r, r.Header, customerPrefix)
	switch {
	case err != nil:
		return err
	case given == u.object.encryption.customerMD5:
		return nil
	case given == "":
		return s3error.New("InvalidRequest").WithMessage("The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	}
	return s3error.New("InvalidRequest").WithMessage("The provided encryption parameters did not match the ones used originally.")
}

// noEncryption refuses the headers of a write's encryption with other requests.
func noEncryption(header http.Header) error {
	for _, name := range []string{sseHeader, kmsKeyHeader, kmsContextHeader, bucketKeyHeader} {
		if value := header.Get(name); value != "" {
			return s3error.New("InvalidArgument", "ArgumentName", strings.ToLower(name), "ArgumentValue", value).
				WithMessage("%s header is not supported for this operation.", strings.ToLower(name))
		}
	}
	return nil
}

// write writes the headers of a response.
func (e encryption) write(header http.Header) {
	if e.customerMD5 != "" {
		header.Set(customerPrefix+"-Algorithm", "AES256")
		header.Set(customerPrefix+"-Key-Md5", e.customerMD5)
		return
	}
	header.Set(sseHeader, e.algorithm)
	if e.kmsKey != "" {
		header.Set(kmsKeyHeader, e.kmsKey)
	}
	if e.bucketKey {
		header.Set(bucketKeyHeader, "true")
	}
}

// tag returns the entity tag of an encrypted object or part, whose MD5 is md5 in quotes: with KMS or
// a customer's key it is not the MD5.
func (e encryption) tag(md5 string) string {
	if e.customerMD5 == "" && e.algorithm == byStore {
		return md5
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	_, count, _ := strings.Cut(strings.Trim(md5, `"`), "-")
	if count != "" {
		count = "-" + count
	}
	return `"` + hex.EncodeToString(random) + count + `"`
}

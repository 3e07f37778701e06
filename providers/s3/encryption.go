package s3

import (
	"context"
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// WithKMSKey encrypts the object with a key of AWS KMS (SSE-KMS), in place of Config.KMSKey. id is
// a key's id or ARN, or the ARN of an alias. A copy is encrypted anew: it does not keep the
// source's key. Readers need no option, only the permission to decrypt with the key.
//
// The ETag of such an object is not its MD5. The operation fails with InvalidArgument if id is
// empty, no name of AWS, or unknown to the store, or beside [WithCustomerKey]; with Unsupported
// if the server is not known to have SSE-KMS (Profile.KMS).
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
func WithKMSKey(id string) storage.WriteOption {
	return storage.WithNative(provider, &kmsKey{argument: "WithKMSKey", id: &id})
}

// WithKMSContext adds pairs to the encryption context of SSE-KMS, which key policies can demand
// and CloudTrail shows. They are no secret. A copy needs them again. Without [WithKMSKey] and
// Config.KMSKey, the key is the account's own, aws/s3. The operation fails as with WithKMSKey; an
// empty context is InvalidArgument.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
func WithKMSContext(context map[string]string) storage.WriteOption {
	return storage.WithNative(provider, &kmsKey{argument: "WithKMSContext", context: maps.Clone(context)})
}

// A kmsKey is the value of WithKMSKey or WithKMSContext, or the encryption of a bucket.
type kmsKey struct {
	argument  string
	id        *string // nil: as it was
	bucketKey bool
	context   map[string]string
}

func (k *kmsKey) check(d *driver) error {
	if k.id != nil {
		if err := checkKMSKey(k.argument, *k.id); err != nil {
			return err
		}
	} else if len(k.context) == 0 {
		return argument.Invalid(k.argument, "must not be empty", "")
	}
	if d.anonymous {
		return argument.Invalid(k.argument, "needs credentials", "open the bucket without Anonymous")
	}
	return d.checkKMS(k.argument)
}

// setEncryption sets the encryption of every write, by Config.KMSKey.
func (a *account) setEncryption(c Config) error {
	if c.KMSKey == "" {
		if c.BucketKey {
			return argument.Invalid("Config.BucketKey", "needs a KMSKey", "")
		}
		return nil
	}
	if err := checkKMSKey("Config.KMSKey", c.KMSKey); err != nil {
		return err
	}
	if c.Anonymous {
		return argument.Invalid("Config.KMSKey", "must not be set with Anonymous: KMS needs a signature", "")
	}
	a.kms = &kmsKey{argument: "Config.KMSKey", id: &c.KMSKey, bucketKey: c.BucketKey}
	return a.checkKMS(a.kms.argument)
}

// checkKMS fails if the server is not known to have SSE-KMS: it might store the object without.
func (a *account) checkKMS(name string) error {
	if a.profile.KMS {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported, Err: fmt.Errorf("%s needs a server with SSE-KMS, and profile %s has none", name, a.profile.Name),
		Hint: "set KMS in Config.Profile if the server is known to encrypt with such keys: others ignore the request",
	}
}

// checkKMSKey checks the name of a key.
func checkKMSKey(name, id string) error {
	switch {
	case id == "" || len(id) > maxKMSKey || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }):
		return argument.Invalid(name, "must be the id or ARN of a key: 1 to 2,048 visible ASCII characters", "")
	case strings.HasPrefix(id, "projects/"):
		return argument.Invalid(name, "must be a key of AWS KMS", "this is the name of a key of Google's: open the bucket with package gcs")
	case strings.Contains(id, "://"):
		return argument.Invalid(name, "must be a key of AWS KMS, which is no URL", "use the key's ARN")
	}
	return nil
}

const maxKMSKey = 2048

func (k *kmsKey) apply(input any) error {
	f := encryptionOf(input)
	if f.sse == nil {
		return nil
	}
	if *f.customer.key != nil {
		return errTwoKeys()
	}
	*f.sse = types.ServerSideEncryptionAwsKms
	if k.id != nil {
		*f.kmsKey = k.id
	}
	if k.bucketKey {
		*f.bucketKey = aws.Bool(true)
	}
	if k.context != nil {
		text, err := json.Marshal(k.context) // sorted by name
		if err != nil {
			return &storage.Error{Code: storage.InvalidArgument, Err: err}
		}
		*f.context = aws.String(base64.StdEncoding.EncodeToString(text))
	}
	return nil
}

func errTwoKeys() error {
	return argument.Invalid("WithCustomerKey", "excludes WithKMSKey and WithKMSContext", "")
}

// Fingerprint returns the key's name and the context, which are no secrets.
func (k *kmsKey) Fingerprint() string {
	return fmt.Sprintf("%q %v %q", aws.ToString(k.id), k.bucketKey, k.context)
}

// A CustomerKeyOption fits uploads, copies (the destination), reads, attributes, and the
// signing of addresses: [WithCustomerKey].
type CustomerKeyOption interface {
	storage.WriteOption
	storage.DownloadOption
	storage.AttrsOption
	storage.ReaderAtOption
	storage.SignedDownloadOption
}

// WithCustomerKey encrypts the object with a key of 32 bytes that the store does not keep
// (SSE-C). Who loses it loses the object. Every read of the object and of its attributes needs the
// same key. Signed addresses return it among the headers to send, and forms among the fields:
// their receiver learns the key. The bucket's Config.KMSKey has no effect on such a write.
//
// The ETag of such an object is not its MD5. [storage.Attrs].Encryption has the MD5 of the key as
// KeyID. The operation fails with InvalidArgument if the key has another length, without TLS, and
// beside [WithKMSKey]; with Unsupported if the server is not known to have SSE-C
// (Profile.CustomerKeys). Amazon refuses a write with PermissionDenied until the bucket allows
// SSE-C, and a read with another key, too; without a key a read is InvalidArgument.
//
// With [storage.WithResume], only a hash of the key is compared and written.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
func WithCustomerKey(key []byte) CustomerKeyOption {
	return storage.WithNative(provider, newCustomerKey("WithCustomerKey", key))
}

// WithSourceCustomerKey reads the source of [storage.Copy], or all sources of
// [storage.Compose], with the key that they were encrypted with. It fails as [WithCustomerKey]
// does, which sets the key of the destination. A copy of an object onto itself with both options
// changes its key.
func WithSourceCustomerKey(key []byte) storage.CopyOption {
	return storage.WithSourceNative(provider, newCustomerKey("WithSourceCustomerKey", key))
}

const customerKeySize = 32 // bytes of an AES-256 key

// A customerKey is the value of WithCustomerKey. No way of printing shows the key.
type customerKey struct {
	argument string
	size     int
	reveal   func() string // the key in base64; a function, because no printer shows its result
	md5      string        // of the key, in base64; responses have it too
	sum      string        // the fingerprint
}

func newCustomerKey(name string, key []byte) *customerKey {
	text := base64.StdEncoding.EncodeToString(key)
	var hash [md5.Size]byte
	fips140.WithoutEnforcement(func() { hash = md5.Sum(key) }) // the protocol demands it, to find typing errors
	sum := sha256.Sum256(append([]byte("omnibucket customer key "), key...))
	return &customerKey{
		argument: name, size: len(key), reveal: func() string { return text },
		md5: base64.StdEncoding.EncodeToString(hash[:]), sum: hex.EncodeToString(sum[:]),
	}
}

func isCustomerKey(value any) bool {
	_, is := value.(*customerKey)
	return is
}

func (k *customerKey) check(d *driver) error {
	if k.size != customerKeySize {
		return argument.Invalid(k.argument, fmt.Sprintf("must have %d bytes, and has %d", customerKeySize, k.size), "")
	}
	if !d.profile.CustomerKeys {
		return &storage.Error{
			Code: storage.Unsupported, Err: fmt.Errorf("%s needs a server with SSE-C, and profile %s has none", k.argument, d.profile.Name),
			Hint: "set CustomerKeys in Config.Profile if the server is known to encrypt with such keys: others ignore the request",
		}
	}
	endpoint, err := d.bucketEndpoint(context.Background(), "")
	if err != nil {
		return err
	}
	if endpoint.url.Scheme != "https" || d.client.Options().EndpointOptions.DisableHTTPS {
		return errNoTLS()
	}
	return nil
}

func errNoTLS() error {
	return argument.Invalid("WithCustomerKey", "needs TLS", "use an endpoint with https: the key is part of each request")
}

func (k *customerKey) apply(input any) error {
	f := encryptionOf(input)
	if f.customer.key == nil {
		return nil
	}
	if f.sse != nil && *f.sse != "" {
		return errTwoKeys()
	}
	k.set(f.customer)
	return nil
}

func (k *customerKey) set(f customerFields) {
	*f.algorithm, *f.key, *f.md5 = aws.String(customerAlgorithm), aws.String(k.reveal()), &k.md5
}

const customerAlgorithm = "AES256"

// Fingerprint returns a hash of the key.
func (k *customerKey) Fingerprint() string { return k.sum }

// String does not show the key.
func (k *customerKey) String() string { return "s3." + k.argument + "(REDACTED)" }

// GoString returns String.
func (k *customerKey) GoString() string { return k.String() }

// Format writes String, whatever the verb is.
func (k *customerKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// LogValue returns String.
func (k *customerKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns String.
func (k *customerKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

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

const (
	noCustomerKeyHint    = "if the object was encrypted with a customer's key, pass that key: s3.WithCustomerKey"
	wrongCustomerKeyHint = "the object may be encrypted with another key or with none, or the credentials may not read it"
	blockedSSECHint      = "if the bucket blocks SSE-C, as Amazon's do by default since April 2026, set its BlockedEncryptionTypes to NONE with PutBucketEncryption"
	kmsKeyHint           = "the KMS key does not exist in the bucket's region: check its id"
	kmsStateHint         = "the KMS key is disabled, about to be deleted, or of the wrong kind"
)

// withReadKeyHint adds a hint about the customer's key to the error of a read.
func withReadKeyHint(err error, native []any) error {
	e := asError(err)
	_, message := codeAndMessage(e.Err)
	bare := isCode(e.Err, "", "BadRequest") && e.Hint == "" // the response to HEAD has no body
	switch given := slices.ContainsFunc(native, isCustomerKey); {
	case given && (e.Status == http.StatusBadRequest || e.Status == http.StatusForbidden):
		e.Hint = wrongCustomerKeyHint
	case !given && e.Status == http.StatusBadRequest && (bare || strings.Contains(message, "Server Side Encryption")):
		e.Hint = noCustomerKeyHint
	}
	return e
}

// withWriteKeyHint adds a hint to the error of a write with a customer's key.
func withWriteKeyHint(err error, native []any) error {
	e := asError(err)
	if e.Code == storage.PermissionDenied && slices.ContainsFunc(native, isCustomerKey) {
		e.Hint = blockedSSECHint
	}
	return e
}

// withCopyKeyHint adds a hint to the error of a copy.
func withCopyKeyHint(err error, native, source []any) error {
	e := asError(err)
	if e.Status == http.StatusBadRequest || len(source) > 0 {
		e = asError(withReadKeyHint(e, source))
	}
	return withWriteKeyHint(e, native)
}

// isKMSCode reports whether a code is one that S3 passes on from KMS, or MinIO's own.
func isKMSCode(code string) bool {
	return strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "kms:")
}

// isKMSError reports whether the error is about a KMS key, whatever its status is.
func isKMSError(err error) bool {
	code, _ := codeAndMessage(err)
	return isKMSCode(code)
}

// kmsMeaning returns the meaning of a code of KMS.
func kmsMeaning(code string) sdkerror.Meaning {
	switch {
	case strings.Contains(code, "Throttling"):
		return sdkerror.Meaning{Code: storage.RateLimited}
	case strings.Contains(code, "NotFound"):
		return sdkerror.Meaning{Code: storage.InvalidArgument, Hint: kmsKeyHint}
	}
	return sdkerror.Meaning{Code: storage.PermissionDenied, Hint: kmsStateHint}
}

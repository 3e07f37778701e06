package s3

import (
	"context"
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// A CustomerKeyOption fits uploads, copies (the destination), reads, attributes, the restoring of
// archived objects, and the signing of addresses: [WithCustomerKey].
type CustomerKeyOption interface {
	storage.WriteOption
	storage.DownloadOption
	storage.AttrsOption
	storage.ReaderAtOption
	storage.RestoreOption
	storage.SignedDownloadOption
}

// WithCustomerKey encrypts the object with a key of 32 bytes that the store does not keep
// (SSE-C). A caller that loses the key loses the object. Every read of the object and of its attributes needs the
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

func (k *customerKey) check(b *bucket) error {
	if k.size != customerKeySize {
		return argument.Invalid(k.argument, fmt.Sprintf("must have %d bytes, and has %d", customerKeySize, k.size), "")
	}
	if !b.account.profile.CustomerKeys {
		return &storage.Error{
			Code: storage.Unsupported, Err: fmt.Errorf("%s needs a server with SSE-C, and profile %s has none", k.argument, b.account.profile.Name),
			Hint: "set CustomerKeys in Config.Profile if the server is known to encrypt with such keys: others ignore the request",
		}
	}
	endpoint, err := b.endpoint(context.Background(), "")
	if err != nil {
		return err
	}
	if endpoint.url.Scheme != "https" || b.account.client.Options().EndpointOptions.DisableHTTPS {
		return errNoTLS()
	}
	return nil
}

func errNoTLS() error {
	return argument.Invalid("WithCustomerKey", "needs TLS", "use an endpoint with https: the key is part of each request")
}

func (k *customerKey) apply(input any) error {
	if sse := field[types.ServerSideEncryption](input, "ServerSideEncryption"); sse != nil && *sse != "" {
		return errTwoKeys()
	}
	k.set(input, "")
	return nil
}

// set sets the fields of an input for the key, if it has them. source begins their names.
func (k *customerKey) set(input any, source string) {
	if key := field[*string](input, source+"SSECustomerKey"); key != nil {
		*key = aws.String(k.reveal())
		*field[*string](input, source+"SSECustomerKeyMD5") = aws.String(k.md5)
		*field[*string](input, source+"SSECustomerAlgorithm") = aws.String(customerAlgorithm)
	}
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

const (
	noCustomerKeyHint    = "if the object was encrypted with a customer's key, pass that key: s3.WithCustomerKey"
	wrongCustomerKeyHint = "the object may be encrypted with another key or with none, or the credentials may not read it"
	blockedSSECHint      = "if the bucket blocks SSE-C, as Amazon's do by default since April 2026, set its BlockedEncryptionTypes to NONE with PutBucketEncryption"
)

func (a *account) withReadKeyHint(err error, native []any) error {
	e := asError(err)
	_, message := codeAndMessage(e.Err)
	bare := isCode(e.Err, "", "BadRequest") && e.Hint == "" // the response to HEAD has no body
	switch given := slices.ContainsFunc(native, isCustomerKey); {
	case given && (e.Status == http.StatusBadRequest || e.Status == http.StatusForbidden):
		e.Hint = wrongCustomerKeyHint
	case !given && a.profile.CustomerKeys && e.Status == http.StatusBadRequest && (bare || strings.Contains(message, "Server Side Encryption")):
		e.Hint = noCustomerKeyHint
	}
	return e
}

func withWriteKeyHint(err error, native []any) error {
	e := asError(err)
	if e.Code == storage.PermissionDenied && slices.ContainsFunc(native, isCustomerKey) {
		e.Hint = blockedSSECHint
	}
	return e
}

func (a *account) withCopyKeyHint(err error, native, source []any) error {
	e := asError(err)
	if e.Status == http.StatusBadRequest || len(source) > 0 {
		e = asError(a.withReadKeyHint(e, source))
	}
	return withWriteKeyHint(e, native)
}

package s3

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// field returns a pointer to the field of an SDK input that has this name. It returns nil if the
// input has no such field.
func field[T any](input any, name string) *T {
	f := reflect.ValueOf(input).Elem().FieldByName(name)
	if !f.IsValid() {
		return nil
	}
	return f.Addr().Interface().(*T)
}

// encryptionIn returns how an object is encrypted, from the fields of a response.
func encryptionIn(sse types.ServerSideEncryption, kmsKey, customerAlgorithm, customerMD5 *string) storage.Encryption {
	if customerAlgorithm != nil {
		return storage.Encryption{Algorithm: *customerAlgorithm, KeyID: aws.ToString(customerMD5)}
	}
	return storage.Encryption{Algorithm: string(sse), KeyID: aws.ToString(kmsKey)}
}

// WithKMSKey encrypts the object with a key of AWS KMS (SSE-KMS), in place of Config.KMSKey. id is
// a key's id or ARN, or the ARN of an alias. A copy does not keep the source's
// key. Readers need no option, only the permission to decrypt with the key.
//
// The ETag of such an object is not its MD5. The operation fails with InvalidArgument if id is
// empty, not a name of AWS, or unknown to the store, or if [WithCustomerKey] is given too. It
// fails with Unsupported if the server is not known to have SSE-KMS (Profile.KMS).
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
func WithKMSKey(id string) storage.WriteOption {
	return storage.WithNative(provider, &kmsKey{argument: "WithKMSKey", id: &id})
}

// WithKMSContext adds pairs to the encryption context of SSE-KMS. A key policy can require these
// pairs, and CloudTrail shows them. They are not secret. A copy does not keep the pairs of its
// source. Without [WithKMSKey] and Config.KMSKey, the key is the account's own, aws/s3.
//
// If context is empty, the operation fails with InvalidArgument. All other errors are those of
// WithKMSKey.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
func WithKMSContext(context map[string]string) storage.WriteOption {
	return storage.WithNative(provider, &kmsKey{argument: "WithKMSContext", context: maps.Clone(context)})
}

// A kmsKey is the value of WithKMSKey or WithKMSContext, or the Config.KMSKey of a bucket.
type kmsKey struct {
	argument  string
	id        *string // nil means that the option does not set a key
	bucketKey bool
	context   map[string]string
}

func (k *kmsKey) check(b *bucket) error {
	if k.id != nil {
		if err := checkKMSKey(k.argument, *k.id); err != nil {
			return err
		}
	} else if len(k.context) == 0 {
		return argument.Invalid(k.argument, "must not be empty", "")
	}
	if b.account.anonymous {
		return argument.Invalid(k.argument, "needs credentials", "open the bucket without Anonymous")
	}
	return b.account.checkKMS(k.argument)
}

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

// checkKMS fails if the server is not known to have SSE-KMS: such a server might store the
// object without encryption.
func (a *account) checkKMS(name string) error {
	if a.profile.KMS {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  fmt.Errorf("%s needs a server with SSE-KMS, and profile %s has none", name, a.profile.Name),
		Hint: "name the server with profile= if its kind encrypts with such keys, or set KMS in s3.Config.Profile: others ignore the request",
	}
}

func checkKMSKey(name, id string) error {
	switch {
	case id == "" || len(id) > maxKMSKey || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }):
		return argument.Invalid(name, "must be the id or ARN of a key: 1 to 2,048 visible ASCII characters", "")
	case strings.HasPrefix(id, "projects/"):
		return argument.Invalid(name, "must be a key of AWS KMS",
			"this is the name of a key of Google's: open the bucket with package gcs")
	case strings.Contains(id, "://"):
		return argument.Invalid(name, "must be a key of AWS KMS, and not a URL", "use the key's ARN")
	}
	return nil
}

const maxKMSKey = 2048

func (k *kmsKey) apply(input any) error {
	sse := field[types.ServerSideEncryption](input, "ServerSideEncryption")
	if sse == nil { // input belongs to a request that stores no object
		return nil
	}
	if *field[*string](input, "SSECustomerKey") != nil {
		return errTwoKeys()
	}
	*sse = types.ServerSideEncryptionAwsKms
	if k.id != nil {
		*field[*string](input, "SSEKMSKeyId") = aws.String(*k.id)
	}
	if k.bucketKey {
		*field[*bool](input, "BucketKeyEnabled") = aws.Bool(true)
	}
	if k.context != nil {
		text, err := json.Marshal(k.context) // the names are sorted
		if err != nil {
			return &storage.Error{Code: storage.InvalidArgument, Err: err}
		}
		*field[*string](input, "SSEKMSEncryptionContext") = aws.String(base64.StdEncoding.EncodeToString(text))
	}
	return nil
}

func errTwoKeys() error {
	return argument.Invalid("WithCustomerKey", "excludes WithKMSKey and WithKMSContext", "")
}

// Fingerprint returns the key's name and the context, which are not secret.
func (k *kmsKey) Fingerprint() string {
	return fmt.Sprintf("%q %v %q", aws.ToString(k.id), k.bucketKey, k.context)
}

package option

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// A KMSKey is the value of WithKMSKey or WithKMSContext, or the Config.KMSKey of a bucket.
type KMSKey struct {
	Argument  string
	ID        *string // nil means that the option does not set a key
	BucketKey bool
	Context   map[string]string
}

// Check returns an error if the key has no valid name, if the account is anonymous, or if the server has no
// SSE-KMS. If ID is nil, the option sets only the context, which must not be empty.
func (k *KMSKey) Check(s *Server) error {
	if k.ID != nil {
		if err := CheckKMSKey(k.Argument, *k.ID); err != nil {
			return err
		}
	} else if len(k.Context) == 0 {
		return argument.Invalid(k.Argument, "must not be empty", "")
	}

	if s.IsAnonymous {
		return argument.Invalid(k.Argument, "needs credentials", "open the bucket without Anonymous")
	}
	return s.CheckKMS(k.Argument)
}

// CheckKMS fails if the server is not known to have SSE-KMS, because such a server might store the
// object without encryption. name is that of the option.
func (s *Server) CheckKMS(name string) error {
	if s.HasKMS {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  fmt.Errorf("%s needs a server with SSE-KMS, and profile %s has none", name, s.Profile),
		Hint: "name the server with profile= if its kind encrypts with such keys, or set KMS in s3.Config.Profile: others ignore the request",
	}
}

// CheckKMSKey returns an error if id cannot be the id or ARN of a key. name is that of the option.
func CheckKMSKey(name, id string) error {
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

// Apply sets the KMS key, with which the store encrypts an object, in an input that stores an
// object. It changes no other input.
func (k *KMSKey) Apply(input any) error {
	// The inputs of the SDK have these fields in common, but no interface with them.
	sse := field[types.ServerSideEncryption](input, "ServerSideEncryption")
	if sse == nil {
		// The request stores no object.
		return nil
	}
	hasCustomerKey := *field[*string](input, "SSECustomerKey") != nil
	if hasCustomerKey {
		return errTwoKeys()
	}

	*sse = types.ServerSideEncryptionAwsKms
	if k.ID != nil {
		setField(input, "SSEKMSKeyId", aws.String(*k.ID))
	}
	if k.BucketKey {
		setField(input, "BucketKeyEnabled", aws.Bool(true))
	}
	if k.Context != nil {
		text, err := json.Marshal(k.Context) // the names are sorted
		if err != nil {
			return &storage.Error{Code: storage.InvalidArgument, Err: err}
		}
		setField(input, "SSEKMSEncryptionContext", aws.String(base64.StdEncoding.EncodeToString(text)))
	}
	return nil
}

func errTwoKeys() error {
	return argument.Invalid("WithCustomerKey", "excludes WithKMSKey and WithKMSContext", "")
}

// Fingerprint returns the key's name and the context, which are not secret.
func (k *KMSKey) Fingerprint() string {
	return fmt.Sprintf("%q %v %q", aws.ToString(k.ID), k.BucketKey, k.Context)
}

package option

import (
	"crypto/fips140"
	"crypto/md5"
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// checkCustomerKey returns an error if the key has another size, or if the server has no SSE-C or no TLS.
func (s *Server) checkCustomerKey(k *customerkey.Key) error {
	if err := k.CheckSize(); err != nil {
		return err
	}
	if !s.HasCustomerKeys {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  fmt.Errorf("%s needs a server with SSE-C, and profile %s has none", k.Option(), s.Profile),
			Hint: "name the server with profile= if its kind encrypts with such keys, or set CustomerKeys in s3.Config.Profile: others ignore the request",
		}
	}
	// The request has the key itself in a header, so it needs TLS.
	hasTLS, err := s.HasTLS()
	if err != nil {
		return err
	}
	if !hasTLS {
		return ErrNoTLS()
	}
	return nil
}

// ErrNoTLS returns the error for a key that would be sent without TLS.
func ErrNoTLS() error {
	return argument.Invalid("WithCustomerKey", "needs TLS", "use an endpoint with https: the key is part of each request")
}

// applyCustomerKey sets the customer's key in an input, or fails if the input already asks for
// another encryption.
func applyCustomerKey(k *customerkey.Key, input any) error {
	if sse := field[types.ServerSideEncryption](input, "ServerSideEncryption"); sse != nil && *sse != "" {
		return errTwoKeys()
	}
	SetCustomerKey(k, input, "")
	return nil
}

// SetCustomerKey sets the fields of input for the customer's key k. It does nothing if k is nil, or
// if input has no fields for a key. source is the prefix of the fields: "CopySource" for the source
// of a copy, or "".
func SetCustomerKey(k *customerkey.Key, input any, source string) {
	key := field[*string](input, source+"SSECustomerKey")
	if k == nil || key == nil {
		return
	}

	// The protocol requires an MD5, to find typos. FIPS mode must not forbid it.
	var hash [md5.Size]byte
	fips140.WithoutEnforcement(func() {
		hash = md5.Sum(k.Bytes())
	})

	*key = aws.String(k.Base64())
	setField(input, source+"SSECustomerKeyMD5", aws.String(base64.StdEncoding.EncodeToString(hash[:])))
	setField(input, source+"SSECustomerAlgorithm", aws.String(customerkey.Algorithm))
}

// ApplySource sets the customer's key of the source of a copy.
func ApplySource(input any, native []any) {
	SetCustomerKey(customerkey.In(native), input, "CopySource")
}

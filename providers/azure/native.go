package azure

import (
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/url"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
)

// The values of this package's options, beside Options.
type (
	encryptionScope string
	accessTier      string
	// A customerKey has its secret in a function, because fmt and slog print all other values,
	// those of unexported fields too. The zero value has none.
	customerKey struct{ secret func() customerSecret }
	// A customerSecret has what requests carry, in base64.
	customerSecret struct{ key, sha256 string }
)

func newCustomerKey(key []byte) customerKey {
	if len(key) != customerKeyBytes {
		return customerKey{}
	}
	sum := sha256.Sum256(key)
	secret := customerSecret{base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(sum[:])}
	return customerKey{func() customerSecret { return secret }}
}

const customerKeyBytes = 32 // of AES-256

// String shows no key.
func (customerKey) String() string { return "customer key" }

// GoString shows no key.
func (k customerKey) GoString() string { return k.String() }

// LogValue shows no key.
func (k customerKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Fingerprint returns the key's hash, which Azure tells everyone who may read the object.
func (k customerKey) Fingerprint() string { return k.secret().sha256 }

// info returns the key as requests carry it, or nil.
func (k customerKey) info() *blob.CPKInfo {
	if k.secret == nil {
		return nil
	}
	s := k.secret()
	return &blob.CPKInfo{EncryptionAlgorithm: to.Ptr(blob.EncryptionAlgorithmTypeAES256), EncryptionKey: &s.key, EncryptionKeySHA256: &s.sha256}
}

// sourceInfo returns the key as that of a source, or nil.
func (k customerKey) sourceInfo() *blob.SourceCPKInfo {
	if k.secret == nil {
		return nil
	}
	s := k.secret()
	return &blob.SourceCPKInfo{SourceEncryptionAlgorithm: to.Ptr(blob.EncryptionAlgorithmTypeAES256), SourceEncryptionKey: &s.key, SourceEncryptionKeySHA256: &s.sha256}
}

// encryptionVersion is the first service version whose requests choose their encryption. An older
// one would ignore that.
const encryptionVersion = "2019-02-02"

// isBefore reports whether the account uses a service version before the given one.
func (a *account) isBefore(version string) bool { return a.version != "" && a.version < version }

// checkNative accepts the values of this package's options.
func (a *account) checkNative(value any) error {
	switch v := value.(type) {
	case encryptionScope:
		if a.isBefore(encryptionVersion) {
			return errOldEncryption
		}
		return checkScope("WithEncryptionScope", string(v))
	case accessTier:
		if v == "" {
			return argument.Invalid("WithAccessTier", "must not be empty", "")
		}
		return nil
	case customerKey:
		if v.secret == nil {
			return argument.Invalid("WithCustomerKey", "must have 32 bytes", "")
		}
		if address.InClear(a.endpoint) {
			return argument.Invalid("WithCustomerKey", "needs an endpoint with https: the request contains the key", "")
		}
		if a.isBefore(encryptionVersion) {
			return errOldEncryption
		}
		return nil
	case Options:
		return nil
	}
	return storage.Unsupported
}

var errOldEncryption = &storage.Error{Code: storage.Unsupported, Hint: "requests choose their encryption since the service version " + encryptionVersion + ": set a later Config.APIVersion"}

// inClear reports whether requests below an address show their headers to the network.
func inClear(text string) bool {
	u, err := url.Parse(text)
	return err == nil && address.InClear(u)
}

// scopeNames are the names of encryption scopes.
// https://learn.microsoft.com/rest/api/storagerp/encryption-scopes/put
var scopeNames = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func checkScope(name, scope string) error {
	if len(scope) < 3 || len(scope) > 63 || !scopeNames.MatchString(scope) {
		return argument.Invalid(name, "must be an encryption scope of the account: 3 to 63 of a-z, 0-9 and single dashes", "")
	}
	return nil
}

// natives has what the options of one operation set.
type natives struct {
	scope   string // "": the container's or the account's own
	key     customerKey
	tier    string
	options []Options
}

// newNatives returns what values set; checkNative has accepted them. A later one wins.
func newNatives(values []any) *natives {
	n := &natives{}
	for _, value := range values {
		switch v := value.(type) {
		case encryptionScope:
			n.scope = string(v)
		case accessTier:
			n.tier = string(v)
		case customerKey:
			n.key = v
		case Options:
			n.options = append(n.options, v)
		}
	}
	return n
}

// writeNatives is natives for an object that is written, with the container's settings.
func (a *account) writeNatives(values []any) (*natives, error) {
	n := newNatives(values)
	switch {
	case n.key.secret == nil:
		if n.scope == "" {
			n.scope = a.scope
		}
	case n.scope != "":
		return nil, argument.Invalid("WithCustomerKey and WithEncryptionScope", "must not be set together", "")
	}
	return n, nil
}

// scopeInfo returns the encryption scope as requests carry it, or nil.
func (n *natives) scopeInfo() *blob.CPKScopeInfo {
	if n.scope == "" {
		return nil
	}
	return &blob.CPKScopeInfo{EncryptionScope: &n.scope}
}

// accessTier returns the tier of a write, whose storage class is class.
func (n *natives) accessTier(class string) *blob.AccessTier {
	if n.tier != "" {
		class = n.tier
	}
	return tier(class)
}

// apply calls the functions that Options have for a request.
func apply[O any](n *natives, o *O, of func(Options) func(*O)) (applied bool) {
	for _, options := range n.options {
		if change := of(options); change != nil {
			change(o)
			applied = true
		}
	}
	return applied
}

// mustApply is apply for the request that does what the operation is for. Options without a
// function for it would be dropped.
func mustApply[O any](n *natives, o *O, field string, of func(Options) func(*O)) error {
	if !apply(n, o, of) && len(n.options) > 0 {
		return lacksFunction(field)
	}
	return nil
}

// lacksFunction returns the error for Options that do not reach the request of the operation.
func lacksFunction(field string) error {
	return &storage.Error{Code: storage.Unsupported, Hint: "WithOptions has no function for this request: set Options." + field}
}

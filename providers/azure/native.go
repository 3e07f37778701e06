package azure

import (
	"cmp"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// WithEncryptionScope stores its argument as an encryptionScope. WithAccessTier stores its argument
// as an accessTier.
type (
	encryptionScope string
	accessTier      string
)

// keyInfo returns the customer's key in the form for requests, or nil if there is no key.
func (n *nativeOptions) keyInfo() *blob.CPKInfo {
	if n.key == nil {
		return nil
	}
	return &blob.CPKInfo{
		EncryptionAlgorithm: new(blob.EncryptionAlgorithmTypeAES256),
		EncryptionKey:       new(n.key.Base64()),
		EncryptionKeySHA256: new(n.key.SHA256()),
	}
}

// sourceKeyInfo returns the customer's key in the form for the source of a copy, or nil if there is
// no key.
func (n *nativeOptions) sourceKeyInfo() *blob.SourceCPKInfo {
	if n.key == nil {
		return nil
	}
	return &blob.SourceCPKInfo{
		SourceEncryptionAlgorithm: new(blob.EncryptionAlgorithmTypeAES256),
		SourceEncryptionKey:       new(n.key.Base64()),
		SourceEncryptionKeySHA256: new(n.key.SHA256()),
	}
}

// encryptionVersion is the first service version in which a request can choose the encryption. An
// older service version would ignore the choice.
const encryptionVersion = "2019-02-02"

// isBefore reports whether the account uses a service version before the given one.
func (a *account) isBefore(version string) bool { return a.version != "" && a.version < version }

// checkNative returns an error if value, an option that the caller passed for this provider, is not
// a valid value of this package's options. If it is of another type, the error is Unsupported.
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
	case *customerkey.Key:
		if err := v.CheckSize(); err != nil {
			return err
		}
		if err := v.CheckAddress(a.endpoint); err != nil {
			return err
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

var errOldEncryption = &storage.Error{
	Code: storage.Unsupported,
	Hint: "requests choose their encryption since the service version " + encryptionVersion + ": set a later Config.APIVersion",
}

// scopeNames matches the names that an encryption scope can have, apart from their length.
// https://learn.microsoft.com/rest/api/storagerp/encryption-scopes/put
var scopeNames = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// checkScope returns InvalidArgument unless scope may be the name of an encryption scope. name is
// that of the option.
func checkScope(name, scope string) error {
	const minLength, maxLength = 3, 63
	if len(scope) < minLength || len(scope) > maxLength || !scopeNames.MatchString(scope) {
		return argument.Invalid(name,
			"must be an encryption scope of the account: 3 to 63 of a-z, 0-9 and single dashes", "")
	}
	return nil
}

// nativeOptions holds the settings from this package's options for one operation.
type nativeOptions struct {
	scope   string // "" means the container's or the account's own
	key     *customerkey.Key
	tier    string
	options []Options
}

// newNativeOptions returns the settings from values of options, which checkNative must have accepted. A
// later scope, key or tier replaces an earlier one, but all Options are kept.
func newNativeOptions(values []any) *nativeOptions {
	n := &nativeOptions{key: customerkey.In(values)}
	for _, value := range values {
		switch v := value.(type) {
		case encryptionScope:
			n.scope = string(v)
		case accessTier:
			n.tier = string(v)
		case Options:
			n.options = append(n.options, v)
		}
	}
	return n
}

// nativeWriteOptions returns the settings of the options for a write. Without a customer's key or an encryption
// scope in the options, the scope is Config.EncryptionScope.
func (a *account) nativeWriteOptions(values []any) (*nativeOptions, error) {
	n := newNativeOptions(values)
	if n.key != nil && n.scope != "" {
		return nil, argument.Invalid("WithCustomerKey and WithEncryptionScope", "must not be set together", "")
	}
	if n.key == nil {
		n.scope = cmp.Or(n.scope, a.scope)
	}
	return n, nil
}

// scopeInfo returns the encryption scope in the form for requests, or nil if there is none.
func (n *nativeOptions) scopeInfo() *blob.CPKScopeInfo {
	if n.scope == "" {
		return nil
	}
	return &blob.CPKScopeInfo{EncryptionScope: &n.scope}
}

// accessTier returns the tier for a write. It is the tier of WithAccessTier. Without that option,
// it is the storage class in class.
func (n *nativeOptions) accessTier(class string) *blob.AccessTier {
	return httpheader.Optional(blob.AccessTier(cmp.Or(n.tier, class)))
}

// apply calls the functions of WithOptions for the request that has the SDK's options o. It reports
// whether there were any.
func (n *nativeOptions) apply(o any) (applied bool) {
	for _, options := range n.options {
		if options.change(o) {
			applied = true
		}
	}
	return applied
}

// applyOrFail calls apply for the main request of an operation. It fails if WithOptions has no
// function for that request, because the option would have no effect. field is the field of Options
// with such a function.
func (n *nativeOptions) applyOrFail(o any, field string) error {
	if len(n.options) == 0 {
		return nil
	}
	if !n.apply(o) {
		return errNoFunction(field)
	}
	return nil
}

// errNoFunction returns the error for WithOptions without a function for the main request of an
// operation, which would be in the given field of Options.
func errNoFunction(field string) error {
	return &storage.Error{
		Code: storage.Unsupported,
		Hint: "WithOptions has no function for this request: set Options." + field,
	}
}

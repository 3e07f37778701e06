// Package azurekeyvault encrypts the data keys of layers/encrypt with an RSA key of Azure Key Vault
// or a managed HSM, with RSA-OAEP-256.
//
//	keys, err := azurekeyvault.New(azurekeyvault.Config{Key: "https://myvault.vault.azure.net/keys/backups"})
//	layer, err := encrypt.New(encrypt.Config{Keys: keys})
//
// Each write of an object makes one request wrapkey. Each read makes one request unwrapkey, unless
// the bucket remembers the data key: see [encrypt.Keys]. At first, a process sends a request
// without a token. The response says where to get a token. New objects are encrypted with the
// newest version of the key, and each object stores the name of its version.
//
// Key Vault has no associated data. Therefore the SHA-256 hash of the object's bucket and name is
// wrapped together with the data key, and Unwrap compares it. Everyone who has the public half of
// the key can make objects that this key decrypts, as with a recipient of age.
//
// Errors are PermissionDenied if the service refuses access or the key is disabled, Unauthenticated
// for wrong credentials, and InvalidArgument if there is no such key. The bucket, and not the SDK,
// repeats a request after RateLimited and Unavailable. If the data key belongs to another object,
// the error is ChecksumMismatch.
package azurekeyvault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

const service = "Azure Key Vault"

// A Config names a key of Azure Key Vault.
type Config struct {
	// Key is the URL of an RSA key, such as https://VAULT.vault.azure.net/keys/NAME. It is
	// required. If the URL has a version (/VERSION), new objects are encrypted with that version.
	Key string
	// Bucket is used in place of the container's name. Each data key is bound to a container's
	// name, and can only be decrypted with the same name. If a service such as replication has
	// copied the objects to another container, set Bucket to the name of the original container.
	Bucket string
	// Credential returns access tokens. If it is nil, Azure's default chain is used.
	Credential azcore.TokenCredential
	// HTTPClient sends the requests. If it is nil, New makes a client.
	HTTPClient *http.Client
}

// keyForm matches the URL of a key. Its groups are the URL of the vault, the name and the version.
var keyForm = regexp.MustCompile(`^(https://[A-Za-z0-9.-]+(?::[0-9]+)?)/keys/([A-Za-z0-9-]{1,127})(?:/([0-9A-Za-z]+))?$`)

// New returns [encrypt.Keys] that use the key of c. It sends no request.
//
// It fails with InvalidArgument if c.Key is not the URL of a key.
func New(c Config) (encrypt.Keys, error) {
	vault, name, version, ok := parseKey(c.Key)
	if !ok {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "azurekeyvault.New",
			Err:  errors.New("the key must be https://VAULT.vault.azure.net/keys/NAME, with or without /VERSION"),
		}
	}

	options := &azkeys.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:        kms.Client(c.HTTPClient),
		Retry:            policy.RetryOptions{MaxRetries: -1}, // no retries, because the bucket repeats requests
		PerRetryPolicies: []policy.Policy{wholeBody{}},
	}}
	sdk, err := azkeys.NewClient(vault, &credential{wrapped: c.Credential}, options)
	if err != nil {
		return nil, &storage.Error{Code: storage.InvalidArgument, Op: "azurekeyvault.New", Err: err}
	}

	return &kms.Key{
		Type:    "github.com/omnibucket/azurekeyvault",
		Name:    strings.ToLower(vault + "/keys/" + name), // Azure ignores the case of both names
		Bucket:  c.Bucket,
		Service: key{sdk: sdk, name: name, version: version},
	}, nil
}

// parseKey splits the URL of a key, whose version may be "". ok is false if text is no such URL.
func parseKey(text string) (vault, name, version string, ok bool) {
	groups := keyForm.FindStringSubmatch(text)
	if groups == nil {
		return "", "", "", false
	}
	return groups[1], groups[2], groups[3], true
}

// A wholeBody is a policy that gives each request its own reader of the body. If the vault refuses
// a token early, the SDK sends the body again. The transport may then still read the body for the
// refused request. If both requests had the same reader, bytes would be lost.
type wholeBody struct{}

// Do implements [policy.Policy]. It gives each attempt of a request its own reader, because the
// transport may still read the one of an earlier attempt.
func (wholeBody) Do(r *policy.Request) (*http.Response, error) {
	if r.Body() == nil {
		return r.Next()
	}
	if err := r.RewindBody(); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r.Body())
	if err != nil {
		return nil, err
	}
	newReader := func() io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }
	r.Raw().Body = newReader()
	r.Raw().GetBody = func() (io.ReadCloser, error) { return newReader(), nil }
	return r.Next()
}

type key struct {
	sdk     *azkeys.Client
	name    string
	version string // "" means the newest one
}

// proof returns a hash of the object's bucket and name. The vault encrypts this hash together with
// the data key. Decrypt uses it to check that the data key belongs to the object. No bucket has a
// zero byte in its name, so a zero byte separates both names.
func proof(obj encrypt.Object) []byte {
	sum := sha256.Sum256([]byte("github.com/omnibucket/storage/layers/encrypt/azurekeyvault\x00" + obj.Bucket + "\x00" +
		obj.Key))
	return sum[:]
}

var (
	algorithm   = azkeys.EncryptionAlgorithmRSAOAEP256
	versionForm = regexp.MustCompile(`^[0-9A-Za-z]+$`)
)

// Encrypt encrypts the data key and a proof of its object with Key Vault's operation wrapkey. The
// second result has one element, the version of the key. It implements kms.Service.
func (k key) Encrypt(ctx context.Context, dataKey []byte, obj encrypt.Object) ([]byte, []string, error) {
	resp, err := k.wrapKey(ctx, slices.Concat(dataKey, proof(obj)))
	if err != nil {
		return nil, nil, requestError(err, dataKey)
	}
	version := versionOf(resp.KID, k.name)
	isExpected := version != "" && (k.version == "" || version == k.version)
	if !isExpected || len(resp.Result) == 0 {
		return nil, nil, kms.Damaged(service, "the response to wrapkey is of another key")
	}
	return resp.Result, []string{version}, nil
}

// wrapKey calls WrapKey of the SDK. It returns a panic of the SDK as an error.
func (k key) wrapKey(ctx context.Context, value []byte) (out azkeys.WrapKeyResponse, err error) {
	defer recoverTo(&err)
	params := azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: value}
	return k.sdk.WrapKey(ctx, k.name, k.version, params, nil)
}

// versionOf returns the version in the URL of a key, or "" if the URL has none or is that of a key with
// another name.
func versionOf(id *azkeys.ID, name string) string {
	if id == nil {
		return ""
	}
	_, idName, version, ok := parseKey(string(*id))
	if !ok || !strings.EqualFold(idName, name) {
		return ""
	}
	return version
}

// Decrypt decrypts a data key with Key Vault's operation unwrapkey. The only element of args is the
// version of the key. It implements kms.Service.
func (k key) Decrypt(ctx context.Context, body []byte, args []string, obj encrypt.Object) ([]byte, error) {
	if len(args) != 1 || !versionForm.MatchString(args[0]) {
		// The version becomes part of a URL.
		return nil, kms.WrongObject(service)
	}
	resp, err := k.unwrapKey(ctx, args[0], body)
	if err != nil {
		return nil, requestError(err)
	}
	if len(resp.Result) == 0 {
		return nil, kms.Damaged(service, "the response to unwrapkey is empty")
	}

	// Encrypt has appended the proof that the data key belongs to this object.
	dataKey, ok := bytes.CutSuffix(resp.Result, proof(obj))
	if !ok {
		return nil, kms.WrongObject(service)
	}
	return dataKey, nil
}

// unwrapKey calls UnwrapKey of the SDK. It returns a panic of the SDK as an error.
func (k key) unwrapKey(ctx context.Context, version string, value []byte) (out azkeys.UnwrapKeyResponse, err error) {
	defer recoverTo(&err)
	params := azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: value}
	return k.sdk.UnwrapKey(ctx, k.name, version, params, nil)
}

// recoverTo is a deferred function that turns a panic of the SDK into an error, and stores it in
// err. Version 1.5.0 of the SDK panics if the vault's challenge names no tenant.
func recoverTo(err *error) {
	if thrown := recover(); thrown != nil {
		*err = kms.Damaged(service, fmt.Sprint("the SDK does not understand the response: ", thrown))
	}
}

// Package googlekms encrypts the data keys of layers/encrypt by a symmetric key of Google Cloud KMS.
//
//	keys, err := googlekms.New(ctx, googlekms.Config{Key: "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"})
//	layer, err := encrypt.New(encrypt.Config{Keys: keys})
//
// Each written object costs one request, and so does each read one, except those that the bucket
// remembers: see [encrypt.Keys]. New objects are encrypted by the primary version of the key, and KMS finds
// the version of older ones. The bucket and the key (name) of the object are additional authenticated data:
// KMS decrypts only with the same. Checksums (CRC32C) prove that neither requests nor responses were
// damaged on their way.
//
// Errors are PermissionDenied if the service refuses access or the key is disabled, Unauthenticated for wrong
// credentials, and InvalidArgument if there is no such key. RateLimited and Unavailable are retried by the bucket,
// not by the SDK. If the data key is that of another object, the error is ChecksumMismatch.
package googlekms

import (
	"context"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"net/http"
	"regexp"
	"strings"

	"cloud.google.com/go/auth"
	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

const service = "Google Cloud KMS"

// A Config names a key.
type Config struct {
	// Key is the resource name of a key for encryption, without a version; required:
	// projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY.
	Key string
	// Bucket is bound to data keys in place of the bucket's name at the provider, for copies of a bucket
	// that were not made by the library, such as a replica.
	Bucket string
	// Credentials make access tokens. If they are nil, the application default ones are looked up for the
	// first request.
	Credentials *auth.Credentials
	// Endpoint is the root of the service. The default is https://cloudkms.googleapis.com.
	Endpoint string
	// HTTPClient sends the requests, after they were given a token. If it is nil, the keys have a client
	// of their own.
	HTTPClient *http.Client
}

var keyForm = regexp.MustCompile(
	`^projects/[^/?#]+/locations/[^/?#]+/keyRings/[A-Za-z0-9_-]+/cryptoKeys/[A-Za-z0-9_-]+$`,
)

// New returns the keys. It sends no request to KMS.
//
// It fails with InvalidArgument if c.Key is not the name of a key.
func New(ctx context.Context, c Config) (encrypt.Keys, error) {
	if !keyForm.MatchString(c.Key) {
		return nil, &storage.Error{
			Code: storage.InvalidArgument, Op: "googlekms.New",
			Err:  errors.New("the key must be projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"),
			Hint: "leave out the version: KMS knows that of each object",
		}
	}
	client := kms.Client(c.HTTPClient)
	client.Transport = &authorized{find: finder(c.Credentials), over: client.Transport}
	options := []option.ClientOption{option.WithHTTPClient(client)}
	if c.Endpoint != "" {
		options = append(options, option.WithEndpoint(c.Endpoint))
	}
	sdk, err := cloudkms.NewService(ctx, options...)
	if err != nil {
		return nil, &storage.Error{Code: storage.InvalidArgument, Op: "googlekms.New", Err: err}
	}
	k := key{sdk.Projects.Locations.KeyRings.CryptoKeys, c.Key}
	return &kms.Key{Type: "github.com/omnibucket/googlekms", Name: c.Key, Bucket: c.Bucket, Service: k}, nil
}

type key struct {
	sdk  *cloudkms.ProjectsLocationsKeyRingsCryptoKeysService
	name string
}

// A text is bytes in a request or response, with their checksum.
type text struct {
	base64 string
	crc    int64
}

func textOf(data []byte) text {
	return text{base64.StdEncoding.EncodeToString(data), int64(crc32.Checksum(data, castagnoli))}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// bytes returns the bytes of a response. ok is false if they are not those that were sent.
func (t text) bytes() (data []byte, ok bool) {
	data, err := base64.StdEncoding.DecodeString(t.base64)
	return data, err == nil && textOf(data).crc == t.crc
}

// boundTo returns the additional authenticated data. No name of a bucket has a byte 0.
func boundTo(of encrypt.Object) text { return textOf([]byte(of.Bucket + "\x00" + of.Key)) }

// Encrypt implements kms.Service.
func (k key) Encrypt(ctx context.Context, dataKey []byte, of encrypt.Object) ([]byte, []string, error) {
	plain, bound := textOf(dataKey), boundTo(of)
	out, err := k.sdk.Encrypt(k.name, &cloudkms.EncryptRequest{
		Plaintext: plain.base64, PlaintextCrc32c: plain.crc,
		AdditionalAuthenticatedData: bound.base64, AdditionalAuthenticatedDataCrc32c: bound.crc,
		ForceSendFields: []string{"PlaintextCrc32c", "AdditionalAuthenticatedDataCrc32c"}, // 0 is a checksum
	}).Context(ctx).Do()
	if err != nil {
		return nil, nil, failed(err, dataKey)
	}
	body, ok := text{out.Ciphertext, out.CiphertextCrc32c}.bytes()
	switch {
	case !out.VerifiedPlaintextCrc32c || !out.VerifiedAdditionalAuthenticatedDataCrc32c:
		return nil, nil, kms.Damaged(service, "the request was damaged on its way")
	case !ok || len(body) == 0:
		return nil, nil, kms.Damaged(service, "the response was damaged on its way")
	case !strings.HasPrefix(out.Name, k.name+"/cryptoKeyVersions/"):
		return nil, nil, kms.Damaged(service, "the response is of another key")
	}
	return body, nil, nil
}

// Decrypt implements kms.Service.
func (k key) Decrypt(ctx context.Context, body []byte, _ []string, of encrypt.Object) ([]byte, error) {
	sealed, bound := textOf(body), boundTo(of)
	out, err := k.sdk.Decrypt(k.name, &cloudkms.DecryptRequest{
		Ciphertext: sealed.base64, CiphertextCrc32c: sealed.crc,
		AdditionalAuthenticatedData: bound.base64, AdditionalAuthenticatedDataCrc32c: bound.crc,
		ForceSendFields: []string{"CiphertextCrc32c", "AdditionalAuthenticatedDataCrc32c"},
	}).Context(ctx).Do()
	if err != nil {
		return nil, failed(err)
	}
	dataKey, ok := text{out.Plaintext, out.PlaintextCrc32c}.bytes()
	if !ok || len(dataKey) == 0 {
		return nil, kms.Damaged(service, "the response was damaged on its way")
	}
	return dataKey, nil
}

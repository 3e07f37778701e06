// Package googlekms encrypts the data keys of layers/encrypt with a symmetric key of Google Cloud
// KMS.
//
//	keys, err := googlekms.New(ctx, googlekms.Config{Key: "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"})
//	layer, err := encrypt.New(encrypt.Config{Keys: keys})
//
// Each write of an object makes one request. Each read makes one request, too, unless the bucket
// remembers the data key: see [encrypt.Keys]. New objects are encrypted with the primary version of
// the key. For older objects, KMS itself finds the version. The bucket and the name of the object
// are additional authenticated data. KMS decrypts only with the same data. Checksums (CRC32C) prove
// that neither requests nor responses were damaged on their way.
//
// Errors are PermissionDenied if the service refuses access or the key is disabled, Unauthenticated
// for wrong credentials, and InvalidArgument if there is no such key. The bucket, and not the SDK,
// repeats a request after RateLimited and Unavailable. If the data key belongs to another object,
// the error is ChecksumMismatch.
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

// A Config names a key of Google Cloud KMS.
type Config struct {
	// Key is the resource name of a key for encryption, without a version. It is required. Its form is
	// projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY.
	Key string
	// Bucket replaces the bucket's name in the additional authenticated data. Data keys can only be
	// decrypted with the name that they were encrypted with. If a service such as replication has
	// copied the objects to a bucket with another name, set Bucket to the name of the original
	// bucket.
	Bucket string
	// Credentials return access tokens. If they are nil, the application default credentials are
	// looked up before the first request.
	Credentials *auth.Credentials
	// Endpoint is the root of the service. The default is https://cloudkms.googleapis.com.
	Endpoint string
	// HTTPClient sends the requests, which already have a token. If it is nil, New makes a client.
	HTTPClient *http.Client
}

var keyForm = regexp.MustCompile(`^projects/[^/?#]+/locations/[^/?#]+/keyRings/[A-Za-z0-9_-]+/cryptoKeys/[A-Za-z0-9_-]+$`)

// New returns [encrypt.Keys] that use the key of c. It sends no request to KMS.
//
// It fails with InvalidArgument if c.Key is not the name of a key.
func New(ctx context.Context, c Config) (encrypt.Keys, error) {
	if !keyForm.MatchString(c.Key) {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "googlekms.New",
			Err:  errors.New("the key must be projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"),
			Hint: "leave out the version: KMS knows that of each object",
		}
	}
	client := kms.Client(c.HTTPClient)
	client.Transport = &authorized{find: credentialsFinder(c.Credentials), base: client.Transport}
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

// A text has bytes of a request or response in base64, and their CRC32C.
type text struct {
	base64 string
	crc    int64
}

// textOf returns data and its checksum as the fields of a request.
func textOf(data []byte) text {
	return text{
		base64: base64.StdEncoding.EncodeToString(data),
		crc:    int64(crc32.Checksum(data, castagnoli)),
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// bytes returns the decoded bytes of a response. ok is false if they do not fit their checksum.
func (t text) bytes() (data []byte, ok bool) {
	data, err := base64.StdEncoding.DecodeString(t.base64)
	return data, err == nil && textOf(data).crc == t.crc
}

// boundTo returns the additional authenticated data for an object. The separator is a zero byte,
// which no bucket name has.
func boundTo(obj encrypt.Object) text { return textOf([]byte(obj.Bucket + "\x00" + obj.Key)) }

// Encrypt encrypts the data key with KMS. It fails unless Google has verified the checksums of the
// request and the response has the right ones, too. It implements kms.Service.
func (k key) Encrypt(ctx context.Context, dataKey []byte, obj encrypt.Object) ([]byte, []string, error) {
	plain := textOf(dataKey)
	bound := boundTo(obj)
	resp, err := k.sdk.Encrypt(k.name, &cloudkms.EncryptRequest{
		Plaintext:                         plain.base64,
		PlaintextCrc32c:                   plain.crc,
		AdditionalAuthenticatedData:       bound.base64,
		AdditionalAuthenticatedDataCrc32c: bound.crc,
		// The SDK leaves out fields that are 0, which is a valid checksum.
		ForceSendFields: []string{"PlaintextCrc32c", "AdditionalAuthenticatedDataCrc32c"},
	}).Context(ctx).Do()
	if err != nil {
		return nil, nil, requestError(err, dataKey)
	}

	isVerified := resp.VerifiedPlaintextCrc32c && resp.VerifiedAdditionalAuthenticatedDataCrc32c
	if !isVerified {
		return nil, nil, kms.Damaged(service, "the request was damaged on its way")
	}
	body, ok := text{resp.Ciphertext, resp.CiphertextCrc32c}.bytes()
	if !ok || len(body) == 0 {
		return nil, nil, kms.Damaged(service, "the response was damaged on its way")
	}
	isOfKey := strings.HasPrefix(resp.Name, k.name+"/cryptoKeyVersions/")
	if !isOfKey {
		return nil, nil, kms.Damaged(service, "the response is of another key")
	}
	return body, nil, nil
}

// Decrypt decrypts a data key with KMS, which finds the version of the key in body. It implements
// kms.Service.
func (k key) Decrypt(ctx context.Context, body []byte, _ []string, obj encrypt.Object) ([]byte, error) {
	sealed := textOf(body)
	bound := boundTo(obj)
	resp, err := k.sdk.Decrypt(k.name, &cloudkms.DecryptRequest{
		Ciphertext:                        sealed.base64,
		CiphertextCrc32c:                  sealed.crc,
		AdditionalAuthenticatedData:       bound.base64,
		AdditionalAuthenticatedDataCrc32c: bound.crc,
		// The SDK leaves out fields that are 0, which is a valid checksum.
		ForceSendFields: []string{"CiphertextCrc32c", "AdditionalAuthenticatedDataCrc32c"},
	}).Context(ctx).Do()
	if err != nil {
		return nil, requestError(err)
	}
	dataKey, ok := text{resp.Plaintext, resp.PlaintextCrc32c}.bytes()
	if !ok || len(dataKey) == 0 {
		return nil, kms.Damaged(service, "the response was damaged on its way")
	}
	return dataKey, nil
}

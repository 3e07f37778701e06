package encrypt_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/kmsserver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/encrypt/awskms"
	"github.com/omnibucket/storage/layers/encrypt/azurekeyvault"
	"github.com/omnibucket/storage/layers/encrypt/googlekms"
)

// crcOf returns the CRC32C of a text.
func crcOf(text string) uint32 {
	return crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
}

func contextWithCancel(t *testing.T) (context.Context, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

var (
	dataKey  = []byte("0123456789abcdef")
	ofObject = encrypt.Object{Bucket: "b", Key: "a"}
)

// Each service refuses a malformed or incomplete key name with InvalidArgument. The error does not show a password
// in it.
func TestKMSKeyNames(t *testing.T) {
	openAWS := func(key string) error {
		_, err := awskms.New(t.Context(), awskms.Config{Key: key, AWS: &aws.Config{}})
		return err
	}
	openGoogle := func(key string) error {
		_, err := googlekms.New(t.Context(), googlekms.Config{Key: key})
		return err
	}
	openAzure := func(key string) error {
		_, err := azurekeyvault.New(azurekeyvault.Config{Key: key})
		return err
	}
	tests := []struct {
		op   string // in the error
		open func(key string) error
		keys []string
	}{
		{
			op:   "awskms.New",
			open: openAWS,
			keys: []string{
				"",
				"alias/backups",
				"1234abcd-12ab-34cd-56ef-1234567890ab",
				"arn:aws:kms:eu-west-1:111122223333:alias/backups",
				"arn:aws:kms::111122223333:key/1",
				"arn:aws:s3:eu-west-1:111122223333:key/1",
				"arn:aws:kms:eu-west-1:111122223333:key/",
			},
		},
		{
			op:   "googlekms.New",
			open: openGoogle,
			keys: []string{
				"",
				"projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
				"projects/p/locations/l/keyRings/r/cryptoKeys/k?a",
				"/projects/p/locations/l/keyRings/r/cryptoKeys/k",
			},
		},
		{
			op:   "azurekeyvault.New",
			open: openAzure,
			keys: []string{
				"",
				"http://v.vault.azure.net/keys/k",
				"https://v.vault.azure.net/secrets/k",
				"https://v.vault.azure.net/keys/k/1/2",
				"https://user:hunter2@v.vault.azure.net/keys/k",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.op, func(t *testing.T) {
			for _, key := range tt.keys {
				err := tt.open(key)
				require.ErrorIs(t, err, storage.InvalidArgument, key)
				require.Contains(t, err.Error(), tt.op)
				require.Contains(t, err.Error(), "the key must be")
				require.NotContains(t, err.Error(), "hunter2")
			}
		})
	}
}

// Requests go to the region in the ARN of the AWS key. If the key has replicas in other regions, each of them decrypts
// what another one has encrypted. The replicas of a key have the same ID, which begins with "mrk-".
func TestKMSRegionOfAWS(t *testing.T) {
	s := kmsserver.StartAWS(t)
	open := func(key string) encrypt.Keys {
		keys, err := awskms.New(t.Context(), awskms.Config{
			Key: key,
			AWS: &aws.Config{
				Region:       "eu-west-1", // the ARN of the key takes precedence
				BaseEndpoint: &s.URL,
				HTTPClient:   testserver.Client(),
				Credentials: credentials.NewStaticCredentialsProvider(kmsserver.AccessKeyID,
					kmsserver.SecretKey, ""),
			},
		})
		require.NoError(t, err)
		return keys
	}

	const (
		original = "arn:aws:kms:us-west-2:111122223333:key/mrk-1"
		replica  = "arn:aws:kms:us-east-1:111122223333:key/mrk-1"
	)
	s.AddKey(original)

	// Unwrap with the replica sends a request, although the original has encrypted the data key. The server does not
	// have the replica yet.
	stanzas, err := open(original).Wrap(t.Context(), dataKey, ofObject)
	require.NoError(t, err)
	_, err = open(replica).Unwrap(t.Context(), stanzas, ofObject)
	require.ErrorIs(t, err, storage.InvalidArgument, "the server must say that there is no such key")

	// From here on, the server answers each request as the replica, which decrypts the data key.
	s.Answer(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		kmsserver.WriteJSON(w, http.StatusOK, map[string]any{"KeyId": replica, "Plaintext": dataKey})
		return true
	})
	got, err := open(replica).Unwrap(t.Context(), stanzas, ofObject)
	require.NoError(t, err)
	require.Equal(t, dataKey, got)

	// The original does not accept an answer of the replica.
	_, err = open(original).Unwrap(t.Context(), stanzas, ofObject)
	require.ErrorIs(t, err, storage.Unavailable, "the response is of another key")
	_, err = open(original).Wrap(t.Context(), dataKey, ofObject)
	require.ErrorIs(t, err, storage.Unavailable, "an object with that header could not be read")
}

// Without AWS credentials, Wrap fails with Unauthenticated and sends no request.
func TestKMSCredentialsOfAWS(t *testing.T) {
	noProfile := func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no profile")
	}
	tests := []struct {
		name     string
		provider aws.CredentialsProvider
	}{
		{name: "the provider has none", provider: aws.CredentialsProviderFunc(noProfile)},
		{name: "no provider", provider: nil},
	}
	s := kmsserver.StartAWS(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := awskms.New(t.Context(), awskms.Config{
				Key: "arn:aws:kms:us-west-2:1:key/1",
				AWS: &aws.Config{
					BaseEndpoint: &s.URL,
					HTTPClient:   testserver.Client(),
					Credentials:  tt.provider,
				},
			})
			require.NoError(t, err)

			_, err = keys.Wrap(t.Context(), dataKey, ofObject)
			require.Equal(t, storage.Unauthenticated, storage.CodeOf(err), "%v", err)
			require.Zero(t, s.Count("Encrypt"))
		})
	}
}

// Responses of Google with a wrong checksum are refused.
func TestKMSChecksumsOfGoogle(t *testing.T) {
	const name = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
	response := func() map[string]any {
		return map[string]any{
			"name":                    name + "/cryptoKeyVersions/1",
			"ciphertext":              []byte("sealed"),
			"ciphertextCrc32c":        fmt.Sprint(crcOf("sealed")),
			"verifiedPlaintextCrc32c": true,
			"verifiedAdditionalAuthenticatedDataCrc32c": true,
			"plaintext":       dataKey,
			"plaintextCrc32c": fmt.Sprint(crcOf(string(dataKey))),
		}
	}
	s := kmsserver.StartGoogle(t)
	s.AddKey(name)
	keys, err := newKMSKinds(t)["Google"].open(s, name, "", kmsserver.Token)
	require.NoError(t, err)
	stanzas, err := keys.Wrap(t.Context(), dataKey, ofObject)
	require.NoError(t, err)

	tests := []struct {
		name                   string
		change                 func(map[string]any)
		wrapFails, unwrapFails bool
	}{
		{name: "unchanged response", change: func(map[string]any) {}},
		{
			name: "changed data key",
			change: func(m map[string]any) {
				m["plaintext"] = []byte("0123456789abcdeF")
			},
			unwrapFails: true,
		},
		{
			name: "no checksum of the data key",
			change: func(m map[string]any) {
				delete(m, "plaintextCrc32c")
			},
			unwrapFails: true,
		},
		{
			name: "changed ciphertext",
			change: func(m map[string]any) {
				m["ciphertext"] = []byte("sealeD")
			},
			wrapFails: true,
		},
		{
			name: "no checksum of the ciphertext",
			change: func(m map[string]any) {
				delete(m, "ciphertextCrc32c")
			},
			wrapFails: true,
		},
		{
			name: "no ciphertext",
			change: func(m map[string]any) {
				delete(m, "ciphertext")
				delete(m, "ciphertextCrc32c")
			},
			wrapFails: true,
		},
		{
			name: "an unverified data key",
			change: func(m map[string]any) {
				delete(m, "verifiedPlaintextCrc32c")
			},
			wrapFails: true,
		},
		{
			name: "an unverified name",
			change: func(m map[string]any) {
				m["verifiedAdditionalAuthenticatedDataCrc32c"] = false
			},
			wrapFails: true,
		},
		{
			name: "another key",
			change: func(m map[string]any) {
				m["name"] = name + "2/cryptoKeyVersions/1"
			},
			wrapFails: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.Answer(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				body := response()
				tt.change(body)
				kmsserver.WriteJSON(w, http.StatusOK, body)
				return true
			})
			_, err := keys.Wrap(t.Context(), dataKey, ofObject)
			requireDamaged(t, err, tt.wrapFails)
			_, err = keys.Unwrap(t.Context(), stanzas, ofObject)
			requireDamaged(t, err, tt.unwrapFails)
		})
	}
}

// requireDamaged requires an error for a damaged response if fails is true, and no error otherwise.
func requireDamaged(t *testing.T, err error, fails bool) {
	if !fails {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, storage.Unavailable)
}

// In its first response, an Azure vault demands a token by a challenge, a header. The client sends no token if the
// challenge is malformed or names another domain.
func TestKMSChallengesOfAzure(t *testing.T) {
	for name, challenge := range map[string]string{
		"of another domain": strings.Replace(kmsserver.Challenge, "https://vault.azure.net",
			"https://vault.example.com", 1),
		"without a tenant":     `Bearer authorization="https://x", resource="https://vault.azure.net"`,
		"without a resource":   `Bearer authorization="https://login.microsoftonline.com/a"`,
		"without anything":     "",
		"of another mechanism": `Basic realm="a"`,
	} {
		t.Run(name, func(t *testing.T) {
			s := kmsserver.StartAzure(t)
			s.AddKey("k")
			s.Answer(func(w http.ResponseWriter, _ *http.Request, operation string) bool {
				w.Header().Set("WWW-Authenticate", challenge)
				kmsserver.RefuseAzure(w, http.StatusUnauthorized, "Unauthorized", "")
				return true
			})
			const bucket = "" // not named
			keys, err := newKMSKinds(t)["Azure"].open(s, "k", bucket, kmsserver.Token)
			require.NoError(t, err)

			_, err = keys.Wrap(t.Context(), dataKey, ofObject)
			require.Error(t, err)
			require.Contains(t, []storage.Code{storage.Unavailable, storage.Unauthenticated},
				storage.CodeOf(err), "%v", err)
			require.Zero(t, s.Count("wrapkey"), "no token was sent")
		})
	}
}

// A header with an invalid key version is refused, because the version becomes a part of a URL.
func TestKMSVersionInHeaderOfAzure(t *testing.T) {
	s := kmsserver.StartAzure(t)
	s.AddKey("k")
	const bucket = "" // not named
	keys, err := newKMSKinds(t)["Azure"].open(s, "k", bucket, kmsserver.Token)
	require.NoError(t, err)
	stanzas, err := keys.Wrap(t.Context(), dataKey, ofObject)
	require.NoError(t, err)

	// The version is what follows the first argument of a stanza. There must be exactly one further
	// argument.
	invalid := [][]string{nil, {""}, {"../other/1"}, {"1/2"}, {"1?a=b"}, {".."}, {"1", "2"}}
	for _, versions := range invalid {
		stanza := *stanzas[0]
		stanza.Args = append([]string{stanza.Args[0]}, versions...)
		stanzas[0] = &stanza
		_, err = keys.Unwrap(t.Context(), stanzas, ofObject)
		require.ErrorIs(t, err, storage.ChecksumMismatch, "%q", versions)
	}
	require.Zero(t, s.Count("unwrapkey"), "no request was sent")
}

// If Azure refuses the token of a request, the SDK sends the request again with a new token.
// Meanwhile a transport may still read the body of the first request. These reads must take no
// bytes from the body of the second one.
func TestKMSRefusedTokenOfAzureKeepsBody(t *testing.T) {
	// A lateReader refuses the token of one request, and reads the body of that request during the next one.
	s := kmsserver.StartAzure(t)
	s.AddKey("k")
	transport := &lateReader{to: s.VaultClient().Transport}
	keys, err := azurekeyvault.New(azurekeyvault.Config{
		Key:        kmsserver.Vault + "/keys/k",
		HTTPClient: &http.Client{Transport: transport},
		Credential: kmsserver.Credential{Value: kmsserver.Token},
	})
	require.NoError(t, err)

	// The first call also asks for the tenant. Make this call before the transport refuses a
	// request.
	_, err = keys.Wrap(t.Context(), dataKey, ofObject)
	require.NoError(t, err)

	// The transport refuses the token of the next request, and reads its body while the SDK sends it again.
	transport.refusesNext = true
	stanzas, err := keys.Wrap(t.Context(), dataKey, ofObject)
	require.NoError(t, err)
	require.False(t, transport.refusesNext, "the transport must have refused a request")
	require.NotEmpty(t, transport.lateBytes, "the transport must have read the first body late")

	// The repeated request had all its bytes. So the stanzas have the right data key.
	unwrapped, err := keys.Unwrap(t.Context(), stanzas, ofObject)
	require.NoError(t, err)
	require.Equal(t, dataKey, unwrapped)
}

// A lateReader refuses the token of one request, and reads that request's body during the next one.
type lateReader struct {
	to          http.RoundTripper
	refusesNext bool
	refusedBody io.ReadCloser // until it is read
	lateBytes   []byte        // of the body, when they were read
}

// RoundTrip refuses a request if refusesNext is set, and reads the body of that request before it sends the next one.
func (l *lateReader) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.refusesNext {
		l.refusesNext = false
		l.refusedBody = r.Body
		return &http.Response{
			StatusCode: http.StatusUnauthorized,
			Header:     http.Header{"Www-Authenticate": {kmsserver.Challenge}},
			Body:       http.NoBody,
			Request:    r,
			ProtoMajor: 1,
			ProtoMinor: 1,
		}, nil
	}
	if l.refusedBody != nil {
		l.lateBytes, _ = io.ReadAll(l.refusedBody)
		l.refusedBody = nil
	}
	return l.to.RoundTrip(r)
}

package gcs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/auth"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
)

// newKeyFile returns a key file of testAccount with the given private key.
func newKeyFile(t *testing.T, privateKey string) []byte {
	t.Helper()
	file, err := json.Marshal(map[string]string{
		"type":         "service_account",
		"client_email": testAccount,
		"private_key":  privateKey,
	})
	require.NoError(t, err)
	return file
}

// A key file may have its key in the form PKCS #8 or PKCS #1, and text in front of it.
func TestKeyFileFormats(t *testing.T) {
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{
		Type:  "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(testKey()),
	}))
	tests := []struct {
		name string
		key  string
	}{
		{name: "PKCS #8", key: testKeyPEM()},
		{name: "PKCS #1", key: pkcs1},
		{name: "text in front", key: "a key\n" + pkcs1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signer, err := newKeySigner(newKeyFile(t, tt.key), "")
			require.NoError(t, err)
			require.Equal(t, testAccount, signer.email())

			// The public key verifies a signature of the signer.
			signature, err := signer.sign(t.Context(), []byte("text"))
			require.NoError(t, err)
			sum := sha256.Sum256([]byte("text"))
			require.NoError(t, rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], signature))
		})
	}
}

// NewDriver refuses an invalid key file, without showing its secret in the error.
func TestKeyFileInvalid(t *testing.T) {
	const secret = "c2VjcmV0LXNlY3JldA=="
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	encodedECDSAKey, err := x509.MarshalPKCS8PrivateKey(ecdsaKey)
	require.NoError(t, err)

	tests := []struct {
		name    string
		file    []byte
		account string
	}{
		{name: "no JSON", file: []byte("{" + secret)},
		{name: "only a key", file: []byte(testKeyPEM())},
		{name: "no PEM", file: newKeyFile(t, secret)},
		{
			name: "PEM of nothing",
			file: newKeyFile(t, "-----BEGIN PRIVATE KEY-----\n"+secret+"\n-----END PRIVATE KEY-----\n"),
		},
		{
			name: "a key that is not RSA",
			file: newKeyFile(t, string(pem.EncodeToMemory(&pem.Block{
				Type:  "PRIVATE KEY",
				Bytes: encodedECDSAKey,
			}))),
		},
		{
			name: "a person's credentials",
			file: []byte(`{"type":"authorized_user","refresh_token":"` + secret + `"}`),
		},
		{name: "another account's", file: testKeyFile(), account: "other@project.iam.gserviceaccount.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewDriver(t.Context(), Config{
				Bucket:         "photos",
				Anonymous:      true,
				SigningKey:     tt.file,
				SigningAccount: tt.account,
			})
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, err.Error(), "BEGIN")
		})
	}
}

// impersonatingCredentials returns credentials of a person that act as a service account.
func impersonatingCredentials(account string) []byte {
	return []byte(`{"type":"impersonated_service_account",
		"service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/` + account + `:generateAccessToken",
		"source_credentials":{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}}`)
}

// personCredentials are the credentials of a person, which cannot sign.
const personCredentials = `{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}`

// Config decides who signs URLs: the driver with a key of the account, the IAM service for an account without a key, or
// nobody.
func TestSignerOfAConfig(t *testing.T) {
	const signingFeatures = storage.SignedURLs | storage.SignedContentType | storage.SignedSize |
		storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead
	const other = "other@project.iam.gserviceaccount.com"
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"})
	tests := []struct {
		name   string
		config Config
		want   signer // by kind and name; nil if there is none
	}{
		{name: "SigningKey", config: Config{SigningKey: testKeyFile()}, want: &keySigner{name: testAccount}},
		{
			name:   "SigningKey and Anonymous",
			config: Config{SigningKey: testKeyFile(), Anonymous: true},
			want:   &keySigner{name: testAccount},
		},
		{
			name:   "SigningKey and credentials of another account",
			config: Config{SigningKey: testKeyFile(), CredentialsJSON: impersonatingCredentials(other)},
			want:   &keySigner{name: testAccount},
		},
		{
			name:   "credentials with a key",
			config: Config{CredentialsJSON: testKeyFile()},
			want:   &keySigner{name: testAccount},
		},
		{
			name:   "credentials with a key, SigningAccount the same",
			config: Config{CredentialsJSON: testKeyFile(), SigningAccount: testAccount},
			want:   &keySigner{name: testAccount},
		},
		{
			name:   "credentials with a key, SigningAccount another",
			config: Config{CredentialsJSON: testKeyFile(), SigningAccount: other},
			want:   &iamSigner{name: other},
		},
		{
			name:   "credentials that impersonate an account",
			config: Config{CredentialsJSON: impersonatingCredentials(other)},
			want:   &iamSigner{name: other},
		},
		{
			name:   "credentials of a person, SigningAccount",
			config: Config{CredentialsJSON: []byte(personCredentials), SigningAccount: other},
			want:   &iamSigner{name: other},
		},
		{name: "credentials of a person", config: Config{CredentialsJSON: []byte(personCredentials)}, want: nil},
		{
			name:   "TokenSource, SigningAccount",
			config: Config{TokenSource: tokens, SigningAccount: other},
			want:   &iamSigner{name: other},
		},
		{name: "TokenSource", config: Config{TokenSource: tokens}, want: nil},
		{name: "Anonymous", config: Config{Anonymous: true}, want: nil},
		{
			name:   "endpoint of another server",
			config: Config{Endpoint: "http://127.0.0.1:1"},
			want:   nil,
		},
		{
			name:   "Anonymous, SigningAccount",
			config: Config{Anonymous: true, SigningAccount: other},
			want:   nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := tt.config
			config.Bucket = "photos"
			d, err := NewDriver(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, d.Close()) })

			if tt.want == nil {
				require.Nil(t, d.(*objectDriver).account.signerFinder)
				require.Zero(t, d.Describe().Features&signingFeatures)
				_, err := d.Sign(t.Context(), signedDownload(nil))
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, "Config.SigningKey", "the hint says what to set")
				return
			}

			require.Equal(t, signingFeatures, d.Describe().Features&signingFeatures)
			signs, err := d.(*objectDriver).account.signerFinder.get(t.Context())
			require.NoError(t, err)
			require.IsType(t, tt.want, signs)
			require.Equal(t, tt.want.email(), signs.email())
		})
	}
}

// The driver looks for the default credentials when it signs for the first time.
func TestSignerOfFirstSignature(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.json")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	t.Setenv("STORAGE_EMULATOR_HOST", "")

	// Without the file of the credentials, the driver has the feature SignedURLs, because there may
	// be a signer later.
	d, err := NewDriver(t.Context(), Config{Bucket: "photos"})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, d.Close())
	}()
	require.NotZero(t, d.Describe().Features&storage.SignedURLs)
	_, err = d.Sign(t.Context(), signedDownload(nil))
	require.ErrorIs(t, err, storage.Unauthenticated)

	// With the file, the driver signs.
	require.NoError(t, os.WriteFile(file, testKeyFile(), 0o600))
	_, err = d.Sign(t.Context(), signedDownload(nil))
	require.NoError(t, err)

	// After its first signature, the driver needs the file no more.
	require.NoError(t, os.Remove(file))
	_, err = d.Sign(t.Context(), signedDownload(nil))
	require.NoError(t, err)
}

// The default credentials determine the signer. The driver asks the metadata service only if they
// do not name an account.
func TestSignerOfDefaultCredentials(t *testing.T) {
	const machine = "machine@project.iam.gserviceaccount.com"
	tests := []struct {
		name             string
		credentials      string // in JSON
		account          string // Config.SigningAccount
		wantAsksMetadata bool
		want             signer // nil if the call fails with Unsupported
	}{
		{name: "key file", credentials: string(testKeyFile()), want: &keySigner{name: testAccount}},
		{
			name:        "credentials that impersonate an account",
			credentials: string(impersonatingCredentials(testAccount)),
			want:        &iamSigner{name: testAccount},
		},
		{name: "credentials of a person", credentials: personCredentials, want: nil},
		{
			name:        "credentials of a person, SigningAccount",
			credentials: personCredentials,
			account:     testAccount,
			want:        &iamSigner{name: testAccount},
		},
		{name: "machine of Google", credentials: "", wantAsksMetadata: true, want: &iamSigner{name: machine}},
		{
			name:        "machine of Google, SigningAccount",
			credentials: "",
			account:     testAccount,
			want:        &iamSigner{name: testAccount},
		},
		{
			name:        "external account without a name",
			credentials: `{"type":"external_account","service_account_impersonation_url":"https://example.com/x"}`,
			want:        nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &account{credentials: &credentials{}, http: &http.Client{}}
			a.credentials.cached.Store(auth.NewCredentials(&auth.CredentialsOptions{JSON: []byte(tt.credentials)}))
			asksMetadata := false
			lookupEmail := func(context.Context) (string, error) {
				asksMetadata = true
				return machine, nil
			}

			got, err := defaultSigner(t.Context(), tt.account, a, lookupEmail)
			require.Equal(t, tt.wantAsksMetadata, asksMetadata)
			if tt.want == nil {
				require.ErrorIs(t, err, storage.Unsupported)
				return
			}
			require.NoError(t, err)
			require.IsType(t, tt.want, got)
			require.Equal(t, tt.want.email(), got.email())
		})
	}
}

// A signerFinder looks for the signer once, and then returns the same one.
func TestSignerIsFoundOnce(t *testing.T) {
	searches := 0
	find := func(context.Context) (signer, error) {
		searches++
		return &keySigner{name: fmt.Sprint("signer ", searches)}, nil
	}
	finder := &signerFinder{find: find}

	for range 2 {
		got, err := finder.get(t.Context())
		require.NoError(t, err)
		require.Equal(t, "signer 1", got.email())
	}
	require.Equal(t, 1, searches)
}

// On a machine of Google, the account that signs is the one that the metadata service names.
func TestSignerAccountOfMetadata(t *testing.T) {
	const machine = "machine@project.iam.gserviceaccount.com"
	tests := []struct {
		name     string
		handler  http.HandlerFunc // of the metadata service
		want     string
		wantCode storage.Code
	}{
		{
			name: "an account",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(machine + "\n"))
			},
			want:     machine,
			wantCode: "",
		},
		{
			name:     "no account",
			handler:  http.NotFound,
			want:     "",
			wantCode: storage.Unsupported,
		},
		// googleapis/nodejs-storage#2447
		{
			name: "a workload of GKE without an account",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte("project.svc.id.goog"))
			},
			want:     "",
			wantCode: storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.Path
				tt.handler(w, r)
			}))
			defer server.Close()
			t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))

			got, err := metadataAccount(t.Context())
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.wantCode, storage.CodeOf(err))
			require.Equal(t, "/computeMetadata/v1/instance/service-accounts/default/email", path)

			// The end of ctx is not taken for a missing account.
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = metadataAccount(canceled)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

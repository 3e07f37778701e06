package gcs

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
)

// otherUniverse is the domain of a cloud that Google runs for others.
const otherUniverse = "s3nsapis.example"

// userCredentials returns credentials of a universe; "" means Google's.
func userCredentials(t *testing.T, universe string) []byte {
	t.Helper()
	file, err := json.Marshal(map[string]string{
		"type":            "authorized_user",
		"client_id":       "id",
		"client_secret":   "S3CR3T",
		"refresh_token":   "S3CR3T",
		"universe_domain": universe,
	})
	require.NoError(t, err)
	return file
}

// Credentials of a universe are sent only to its own host, or to a server that Config names.
func TestCredentialsGoToTheirOwnUniverse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(file, userCredentials(t, otherUniverse), 0o600))
	theirs := "https://storage." + otherUniverse
	tests := []struct {
		name        string
		environment map[string]string
		config      Config
		root        string
		anonymous   bool
		refused     bool
	}{
		{
			name:   "given credentials of Google's",
			config: Config{CredentialsJSON: userCredentials(t, "")},
			root:   "https://storage.googleapis.com",
		},
		{
			name:   "given credentials of another",
			config: Config{CredentialsJSON: userCredentials(t, otherUniverse)},
			root:   theirs,
		},
		{
			name:   "given credentials of another, its host",
			config: Config{CredentialsJSON: userCredentials(t, otherUniverse), Endpoint: theirs},
			root:   theirs,
		},
		{
			name: "given credentials of another, Google's",
			config: Config{
				CredentialsJSON: userCredentials(t, otherUniverse),
				Endpoint:        "https://storage.googleapis.com",
			},
			refused: true,
		},
		{
			name:   "given credentials and a proxy",
			config: Config{CredentialsJSON: userCredentials(t, otherUniverse), Endpoint: "http://127.0.0.1:1"},
			root:   "http://127.0.0.1:1",
		},
		{
			name:        "default credentials of another",
			environment: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file},
			root:        theirs,
		},
		{
			name:        "default credentials of another, its host",
			environment: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file},
			config:      Config{Endpoint: theirs},
			root:        theirs,
		},
		{
			name:        "default credentials of another, Google's",
			environment: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file},
			config:      Config{Endpoint: "https://storage.googleapis.com"},
			refused:     true,
		},
		{
			name:        "the environment's universe",
			environment: map[string]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN": otherUniverse},
			root:        theirs,
		},
		{
			name:        "the environment's universe and tokens",
			environment: map[string]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN": otherUniverse},
			config:      Config{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{})},
			root:        theirs,
		},
		{
			name:      "default credentials and a server of yours",
			config:    Config{Endpoint: "https://storage.example.com"},
			root:      "https://storage.example.com",
			anonymous: true,
		},
		{
			name:        "no TLS",
			environment: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file},
			config:      Config{Endpoint: "http://storage." + otherUniverse},
			root:        "http://storage." + otherUniverse,
			anonymous:   true,
		},
		{
			name: "the emulator",
			environment: map[string]string{
				"GOOGLE_APPLICATION_CREDENTIALS": file,
				"STORAGE_EMULATOR_HOST":          "127.0.0.1:1",
			},
			root:      "http://127.0.0.1:1",
			anonymous: true,
		},
		{
			name:        "no credentials",
			environment: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file},
			config:      Config{Anonymous: true},
			root:        "https://storage.googleapis.com",
			anonymous:   true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			isolateEnv(t, tt.environment)
			tt.config.Bucket = "photos"
			d, err := NewDriver(t.Context(), tt.config)
			if tt.refused {
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, otherUniverse)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.root, d.(*objectDriver).account.root())
			require.Equal(t, tt.anonymous, d.(*objectDriver).account.anonymous)
		})
	}
}

// If the machine belongs to the universe of Config, requests are sent with its credentials.
func TestCredentialsOfMachineInSameUniverse(t *testing.T) {
	d, _ := openOnMachine(t, "googleapis.com")

	require.ErrorIs(t, requestAttrs(t, d), errRecorded, "the request is sent")
}

// If the machine belongs to another universe than Config's, a call fails with Unauthenticated, and sends no token.
func TestCredentialsOfMachineInAnotherUniverse(t *testing.T) {
	d, base := openOnMachine(t, otherUniverse)

	err := requestAttrs(t, d)

	require.ErrorIs(t, err, storage.Unauthenticated)
	require.ErrorContains(t, err, otherUniverse)
	require.Nil(t, base.header, "the token is sent nowhere")
}

// openOnMachine opens a bucket with the credentials of a machine in a universe, and a transport that records requests.
func openOnMachine(t *testing.T, universe string) (*objectDriver, *recordingTransport) {
	t.Helper()
	isolateEnv(t, nil)
	startMetadataServer(t, universe)
	base := &recordingTransport{}
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", HTTPClient: &http.Client{Transport: base}})
	require.NoError(t, err)
	return d.(*objectDriver), base
}

// startMetadataServer starts the metadata service of a machine in a universe, which issues the token "M".
func startMetadataServer(t *testing.T, universe string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		if strings.Contains(r.URL.Path, "universe") {
			_, _ = w.Write([]byte(universe))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"M","expires_in":3600,"token_type":"Bearer"}`))
	}))
	t.Cleanup(server.Close)
	t.Setenv("GCE_METADATA_HOST", server.Listener.Addr().String())
}

// URLs are signed by the IAM service of Config's universe.
func TestIAMSignerUniverse(t *testing.T) {
	isolateEnv(t, nil)
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", CredentialsJSON: userCredentials(t, otherUniverse)})
	require.NoError(t, err)
	require.Equal(t, "https://iamcredentials."+otherUniverse,
		newIAMSigner("a@b", d.(*objectDriver).account).endpoint)
}

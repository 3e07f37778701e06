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

// A universe is a cloud that runs the software of Google, with a domain of its own. Credentials of a universe are sent
// only to the host of that universe, or to a server that Config.Endpoint names.
func TestCredentialsGoToTheirOwnUniverse(t *testing.T) {
	const (
		googleHost = "https://storage.googleapis.com"
		otherHost  = "https://storage." + otherUniverse
	)
	googleCredentials := userCredentials(t, "")
	otherCredentials := userCredentials(t, otherUniverse)
	otherFile := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(otherFile, otherCredentials, 0o600))
	otherDefault := map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": otherFile}

	tests := []struct {
		name          string
		environment   map[string]string
		config        Config
		wantRoot      string // of requests; "" if opening is refused
		wantAnonymous bool   // requests have no credentials
	}{
		{
			name:     "CredentialsJSON of Google",
			config:   Config{CredentialsJSON: googleCredentials},
			wantRoot: googleHost,
		},
		{
			name:     "CredentialsJSON of another universe",
			config:   Config{CredentialsJSON: otherCredentials},
			wantRoot: otherHost,
		},
		{
			name:     "CredentialsJSON of another universe, its own endpoint",
			config:   Config{CredentialsJSON: otherCredentials, Endpoint: otherHost},
			wantRoot: otherHost,
		},
		{
			name:     "CredentialsJSON of another universe, Google's endpoint",
			config:   Config{CredentialsJSON: otherCredentials, Endpoint: googleHost},
			wantRoot: "",
		},
		{
			name:     "CredentialsJSON of another universe, a proxy as endpoint",
			config:   Config{CredentialsJSON: otherCredentials, Endpoint: "http://127.0.0.1:1"},
			wantRoot: "http://127.0.0.1:1",
		},
		{
			name:        "default credentials of another universe",
			environment: otherDefault,
			wantRoot:    otherHost,
		},
		{
			name:        "default credentials of another universe, its own endpoint",
			environment: otherDefault,
			config:      Config{Endpoint: otherHost},
			wantRoot:    otherHost,
		},
		{
			name:        "default credentials of another universe, Google's endpoint",
			environment: otherDefault,
			config:      Config{Endpoint: googleHost},
			wantRoot:    "",
		},
		{
			name:        "universe of the environment",
			environment: map[string]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN": otherUniverse},
			wantRoot:    otherHost,
		},
		{
			name:        "universe of the environment, a TokenSource",
			environment: map[string]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN": otherUniverse},
			config:      Config{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{})},
			wantRoot:    otherHost,
		},
		{
			name:          "default credentials, another server as endpoint",
			config:        Config{Endpoint: "https://storage.example.com"},
			wantRoot:      "https://storage.example.com",
			wantAnonymous: true,
		},
		{
			name:          "default credentials of another universe, its own endpoint without TLS",
			environment:   otherDefault,
			config:        Config{Endpoint: "http://storage." + otherUniverse},
			wantRoot:      "http://storage." + otherUniverse,
			wantAnonymous: true,
		},
		{
			name: "default credentials of another universe, an emulator",
			environment: map[string]string{
				"GOOGLE_APPLICATION_CREDENTIALS": otherFile,
				"STORAGE_EMULATOR_HOST":          "127.0.0.1:1",
			},
			wantRoot:      "http://127.0.0.1:1",
			wantAnonymous: true,
		},
		{
			name:          "default credentials of another universe, Anonymous",
			environment:   otherDefault,
			config:        Config{Anonymous: true},
			wantRoot:      googleHost,
			wantAnonymous: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			isolateEnv(t, tt.environment)
			config := tt.config
			config.Bucket = "photos"

			d, err := NewDriver(t.Context(), config)
			if tt.wantRoot == "" {
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, otherUniverse)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.wantRoot, d.(*objectDriver).account.root())
			require.Equal(t, tt.wantAnonymous, d.(*objectDriver).account.anonymous)
		})
	}
}

// If the machine belongs to the universe of Config, requests are sent with the machine's
// credentials.
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

// startMetadataServer starts the metadata service of a machine in a universe. The service issues
// the token "M".
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

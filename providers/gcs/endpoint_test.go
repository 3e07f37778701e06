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

const otherUniverse = "s3nsapis.example"

// userOf returns a credential of a universe; "" means Google's.
func userOf(t *testing.T, universe string) []byte {
	t.Helper()
	file, err := json.Marshal(map[string]string{"type": "authorized_user", "client_id": "id", "client_secret": "S3CR3T", "refresh_token": "S3CR3T", "universe_domain": universe})
	require.NoError(t, err)
	return file
}

func TestCredentialsGoToTheirOwnUniverse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(file, userOf(t, otherUniverse), 0o600))
	theirs := "https://storage." + otherUniverse
	for name, row := range map[string]struct {
		environment map[string]string
		config      Config
		root        string
		anonymous   bool
		refused     bool
	}{
		"given credentials of Google's":             {nil, Config{CredentialsJSON: userOf(t, "")}, "https://storage.googleapis.com", false, false},
		"given credentials of another":              {nil, Config{CredentialsJSON: userOf(t, otherUniverse)}, theirs, false, false},
		"given credentials of another, its host":    {nil, Config{CredentialsJSON: userOf(t, otherUniverse), Endpoint: theirs}, theirs, false, false},
		"given credentials of another, Google's":    {nil, Config{CredentialsJSON: userOf(t, otherUniverse), Endpoint: "https://storage.googleapis.com"}, "", false, true},
		"given credentials and a proxy":             {nil, Config{CredentialsJSON: userOf(t, otherUniverse), Endpoint: "http://127.0.0.1:1"}, "http://127.0.0.1:1", false, false},
		"default credentials of another":            {map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file}, Config{}, theirs, false, false},
		"default credentials of another, its host":  {map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file}, Config{Endpoint: theirs}, theirs, false, false},
		"default credentials of another, Google's":  {map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file}, Config{Endpoint: "https://storage.googleapis.com"}, "", false, true},
		"the environment's universe":                {map[string]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN": otherUniverse}, Config{}, theirs, false, false},
		"the environment's universe and tokens":     {map[string]string{"GOOGLE_CLOUD_UNIVERSE_DOMAIN": otherUniverse}, Config{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{})}, theirs, false, false},
		"default credentials and a server of yours": {nil, Config{Endpoint: "https://storage.example.com"}, "https://storage.example.com", true, false},
		"no TLS":         {map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file}, Config{Endpoint: "http://storage." + otherUniverse}, "http://storage." + otherUniverse, true, false},
		"the emulator":   {map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file, "STORAGE_EMULATOR_HOST": "127.0.0.1:1"}, Config{}, "http://127.0.0.1:1", true, false},
		"no credentials": {map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file}, Config{Anonymous: true}, "https://storage.googleapis.com", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, row.environment)
			row.config.Bucket = "photos"
			d, err := NewDriver(t.Context(), row.config)
			if row.refused {
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, otherUniverse)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.root, d.(*objectDriver).account.root())
			require.Equal(t, row.anonymous, d.(*objectDriver).account.anonymous)
		})
	}
}

// If the machine belongs to another universe than Config's, its credentials are refused.
func TestCredentialsOfMachineInAnotherUniverse(t *testing.T) {
	for universe, want := range map[string]error{"googleapis.com": errRecorded, otherUniverse: storage.Unauthenticated} {
		t.Run(universe, func(t *testing.T) {
			alone(t, nil)
			metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Metadata-Flavor", "Google")
				if strings.Contains(r.URL.Path, "universe") {
					_, _ = w.Write([]byte(universe))
					return
				}
				_, _ = w.Write([]byte(`{"access_token":"M","expires_in":3600,"token_type":"Bearer"}`))
			}))
			t.Cleanup(metadata.Close)
			t.Setenv("GCE_METADATA_HOST", metadata.Listener.Addr().String())
			base := &recordingTransport{}
			d, err := NewDriver(t.Context(), Config{Bucket: "photos", HTTPClient: &http.Client{Transport: base}})
			require.NoError(t, err)
			err = head(t, d.(*objectDriver))
			require.ErrorIs(t, err, want)
			if want != errRecorded {
				require.ErrorContains(t, err, otherUniverse)
				require.Nil(t, base.header, "the token is sent nowhere")
			}
		})
	}
}

// URLs are signed by the IAM service of Config's universe.
func TestIAMSignerUniverse(t *testing.T) {
	alone(t, nil)
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", CredentialsJSON: userOf(t, otherUniverse)})
	require.NoError(t, err)
	require.Equal(t, "https://iamcredentials."+otherUniverse, newIAMSigner("a@b", d.(*objectDriver).account).endpoint)
}

package gcs

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
)

// isolateEnv removes Google's variables from the environment, and sets the given ones.
// A request to the metadata service fails the test.
func isolateEnv(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, name := range []string{
		"STORAGE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT",
	} {
		t.Setenv(name, "")
	}
	metadata := newCannedServer(t)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GCE_METADATA_HOST", metadata.Listener.Addr().String())
	for name, value := range variables {
		t.Setenv(name, value)
	}
	t.Cleanup(func() {
		require.Empty(t, metadata.Calls(), "the metadata service was asked")
	})
}

// Config and the environment decide which server gets the requests, and whether the requests have
// credentials. Credentials of the environment are sent only to Google.
func TestPlace(t *testing.T) {
	token := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "T"})
	tests := []struct {
		name          string
		config        Config
		env           map[string]string
		wantRoot      string
		wantAnonymous bool // requests have no credentials
	}{
		{name: "default", wantRoot: "https://storage.googleapis.com"},
		{
			name:          "Anonymous",
			config:        Config{Anonymous: true},
			wantRoot:      "https://storage.googleapis.com",
			wantAnonymous: true,
		},
		{
			name:     "endpoint of a region of Google",
			config:   Config{Endpoint: "https://storage.europe-west3.rep.googleapis.com"},
			wantRoot: "https://storage.europe-west3.rep.googleapis.com",
		},
		{
			name:          "endpoint of another server",
			config:        Config{Endpoint: "http://127.0.0.1:4443"},
			wantRoot:      "http://127.0.0.1:4443",
			wantAnonymous: true,
		},
		{
			name:          "endpoint of Google without TLS",
			config:        Config{Endpoint: "http://storage.googleapis.com"},
			wantRoot:      "http://storage.googleapis.com",
			wantAnonymous: true,
		},
		{
			name:          "endpoint with a name like Google's",
			config:        Config{Endpoint: "https://evilgoogleapis.com"},
			wantRoot:      "https://evilgoogleapis.com",
			wantAnonymous: true,
		},
		{
			name:     "endpoint of another server, TokenSource",
			config:   Config{Endpoint: "http://127.0.0.1:4443/", TokenSource: token},
			wantRoot: "http://127.0.0.1:4443",
		},
		{
			name:          "emulator in the environment",
			env:           map[string]string{"STORAGE_EMULATOR_HOST": "localhost:9023"},
			wantRoot:      "http://localhost:9023",
			wantAnonymous: true,
		},
		{
			name:          "emulator in the environment, TokenSource",
			config:        Config{TokenSource: token},
			env:           map[string]string{"STORAGE_EMULATOR_HOST": "localhost:9023"},
			wantRoot:      "http://localhost:9023",
			wantAnonymous: true,
		},
		{
			name:          "emulator in the environment, with a scheme",
			env:           map[string]string{"STORAGE_EMULATOR_HOST": "https://localhost:9023"},
			wantRoot:      "https://localhost:9023",
			wantAnonymous: true,
		},
		{
			name:          "endpoint and emulator in the environment",
			config:        Config{Endpoint: "http://127.0.0.1:4443"},
			env:           map[string]string{"STORAGE_EMULATOR_HOST": "localhost:9023"},
			wantRoot:      "http://127.0.0.1:4443",
			wantAnonymous: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			isolateEnv(t, tt.env)
			tt.config.Bucket = "photos"
			drv, err := NewDriver(t.Context(), tt.config)
			require.NoError(t, err)

			d := drv.(*objectDriver)
			require.Equal(t, tt.wantRoot, d.account.root())
			require.Equal(t, tt.wantAnonymous, d.account.anonymous)
			require.Equal(t, tt.wantRoot+"/photos/", d.Describe().PublicBaseURL)
			require.NotNil(t, d.Native())
			require.NoError(t, d.Close())
		})
	}
}

// Open fails with InvalidArgument for an invalid Config.
func TestOpenInvalidConfig(t *testing.T) {
	key := []byte(`{"type":"service_account","private_key":"secret "}`)
	tests := []struct {
		name   string
		config Config
	}{
		{name: "no bucket", config: Config{Endpoint: "http://127.0.0.1:1"}},
		{name: "a bucket and a prefix", config: Config{Bucket: "photos/private"}},
		{name: "a bucket that leads elsewhere", config: Config{Bucket: ".."}},
		{name: "a bucket that is an address", config: Config{Bucket: "gs://photos"}},
		{name: "a bucket with a query", config: Config{Bucket: "photos?x=1"}},
		{name: "a bucket with a space", config: Config{Bucket: "photos "}},
		{name: "an endpoint without a scheme", config: Config{Bucket: "b", Endpoint: "127.0.0.1:4443"}},
		{
			name:   "an endpoint with a path",
			config: Config{Bucket: "b", Endpoint: "http://127.0.0.1:4443/storage/v1/"},
		},
		{name: "an endpoint with a query", config: Config{Bucket: "b", Endpoint: "https://host/?x=1"}},
		{name: "an endpoint with a user", config: Config{Bucket: "b", Endpoint: "https://user:secret @host"}},
		{name: "credentials that are not JSON", config: Config{Bucket: "b", CredentialsJSON: []byte("secret ")}},
		{
			name:   "credentials of no type",
			config: Config{Bucket: "b", CredentialsJSON: []byte(`{"private_key":"secret "}`)},
		},
		{name: "credentials that are not a key", config: Config{Bucket: "b", CredentialsJSON: key}},
		{
			name:   "credentials and Anonymous",
			config: Config{Bucket: "b", CredentialsJSON: key, Anonymous: true},
		},
		{
			name:   "credentials twice",
			config: Config{Bucket: "b", CredentialsJSON: key, TokenSource: oauth2.StaticTokenSource(nil)},
		},
		{name: "a signing key that is not JSON", config: Config{Bucket: "b", SigningKey: []byte("secret ")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			isolateEnv(t, nil)

			_, err := Open(t.Context(), tt.config)

			require.ErrorIs(t, err, storage.InvalidArgument)
			require.NotContains(t, err.Error(), "secret ")
		})
	}
}

// parseAddress returns the Config that an address stands for.
func TestAddress(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(key, []byte("a key"), 0o600))
	tests := []struct {
		address string
		want    Config
	}{
		{address: "gs://photos", want: Config{Bucket: "photos"}},
		{address: "gs://my.photos", want: Config{Bucket: "my.photos"}},
		{
			address: "gs://photos?project=p&endpoint=http%3A%2F%2F127.0.0.1%3A4443&anonymous=true",
			want: Config{
				Bucket:    "photos",
				Project:   "p",
				Endpoint:  "http://127.0.0.1:4443",
				Anonymous: true,
			},
		},
		{address: "gs://photos?anonymous=false", want: Config{Bucket: "photos"}},
		{
			address: "gs://photos?signing_key=" + url.QueryEscape(key),
			want:    Config{Bucket: "photos", SigningKey: []byte("a key")},
		},
		{address: "gs://?project=p", want: Config{Project: "p"}},
		{
			address: "gs://photos?user_project=payer&kms_key=" + url.QueryEscape(kmsKey),
			want:    Config{Bucket: "photos", UserProject: "payer", KMSKey: kmsKey},
		},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			address, err := url.Parse(tt.address)
			require.NoError(t, err)

			config, err := parseAddress(address)

			require.NoError(t, err)
			require.Equal(t, tt.want, config)
		})
	}
}

// parseAddress fails with InvalidArgument for an address that is not valid.
func TestAddressRefused(t *testing.T) {
	missingFile := filepath.Join(t.TempDir(), "key.json")
	tests := []struct {
		name    string
		address string
	}{
		{name: "no slashes", address: "gs:photos"},
		{name: "a user", address: "gs://user:secret@photos"},
		{name: "a port", address: "gs://photos:80"},
		{name: "a prefix", address: "gs://photos/prefix"},
		{name: "neither true nor false", address: "gs://photos?anonymous=yes"},
		{name: "a missing file", address: "gs://photos?signing_key=" + url.QueryEscape(missingFile)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, err := url.Parse(tt.address)
			require.NoError(t, err)

			_, err = parseAddress(address)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// storage.Open opens the bucket in an address, with the parameters of the address.
func TestOpenAddressOfBucket(t *testing.T) {
	isolateEnv(t, nil)
	bucket, err := storage.Open(t.Context(), "gs://photos?endpoint=http://127.0.0.1:4443&public=true")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	publicURL, err := bucket.PublicURL("a b")
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:4443/photos/a%20b", publicURL)
}

// storage.OpenService opens the account in an address.
func TestOpenAddressOfAccount(t *testing.T) {
	isolateEnv(t, nil)
	service, err := storage.OpenService(t.Context(), "gs://?project=p&endpoint=http://127.0.0.1:4443")
	require.NoError(t, err)
	require.NoError(t, service.Close())
}

// storage.Open fails with InvalidArgument for an address without a bucket, or with an unknown parameter.
func TestOpenAddressRefused(t *testing.T) {
	isolateEnv(t, nil)
	for _, address := range []string{
		"gs://?endpoint=http://127.0.0.1:4443",
		"gs://photos?region=eu",
	} {
		t.Run(address, func(t *testing.T) {
			_, err := storage.Open(t.Context(), address)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// storage.OpenService fails with InvalidArgument for an address with a bucket.
func TestOpenServiceAddressOfBucket(t *testing.T) {
	isolateEnv(t, nil)
	_, err := storage.OpenService(t.Context(), "gs://photos")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Locate returns the same account for two drivers if the server can copy objects between them.
func TestLocateAccounts(t *testing.T) {
	isolateEnv(t, nil)
	accountOf := func(c Config) any {
		c.Bucket = "photos"
		d, err := NewDriver(t.Context(), c)
		require.NoError(t, err)
		return d.Locate("a").Account
	}
	config := Config{Endpoint: "http://127.0.0.1:4443"}
	otherServer := Config{Endpoint: "http://127.0.0.1:4444"}
	otherPayer := Config{Endpoint: config.Endpoint, UserProject: "payer-1"}

	require.Equal(t, accountOf(config), accountOf(config))

	require.NotEqual(t, accountOf(config), accountOf(otherServer))
	require.NotEqual(t, accountOf(config), accountOf(otherPayer))
	require.NotEqual(t, accountOf(Config{}), accountOf(Config{Anonymous: true}))
}

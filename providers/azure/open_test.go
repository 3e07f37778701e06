package azure

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// setEnv sets the given variables, and clears all other variables of Azure.
func setEnv(t *testing.T, settings map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "AZURE_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range settings {
		t.Setenv(name, value)
	}
}

// These are two account keys, and a connection string of the account "acme" with the first key.
const (
	someKey  = "c29tZSBrZXk=" // "some key"
	otherKey = "b3RoZXIga2V5" // "other key"

	testConnectionString = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=" + someKey +
		";EndpointSuffix=core.usgovcloudapi.net"
)

// credentialKind says in words which credential the account uses for its requests.
func credentialKind(a *account) string {
	_, isChain := a.token.(*defaultChain)
	switch {
	case a.sharedKey != nil && bytes.Equal(a.signer.secret, newSigningKey("", emulatorKey, "").secret):
		return "key emulator"
	case a.sharedKey != nil:
		return "key " + string(a.signer.secret)
	case isChain:
		return "chain"
	case a.token != nil:
		return "token"
	case a.sas != "":
		return "sas " + a.sas
	case a.isAnonymous:
		return "anonymous"
	}
	return "the client's"
}

// newAccount takes the endpoint, the account name and the credential from Config. Values that are
// missing there come from the environment. Without a name in Config.Credentials, it takes no
// credential that may be for another account or server.
func TestResolveSettings(t *testing.T) {
	tests := []struct {
		name           string
		config         Config
		environment    map[string]string
		wantEndpoint   string
		wantAccount    string
		wantCredential string // its kind and, if it is a key or a signature, its content
	}{
		{
			name:           "an account",
			config:         Config{Account: "acme"},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "chain",
		},
		{
			name:   "named credentials: a connection string",
			config: Config{Credentials: "old-store"},
			environment: map[string]string{
				"OLD_STORE_AZURE_STORAGE_CONNECTION_STRING": testConnectionString,
				"AZURE_STORAGE_ACCOUNT":                     "other",
				"AZURE_STORAGE_KEY":                         otherKey,
			},
			wantEndpoint:   "https://acme.blob.core.usgovcloudapi.net",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:   "named credentials: an account and its key",
			config: Config{Credentials: "old-store"},
			environment: map[string]string{
				"OLD_STORE_AZURE_STORAGE_ACCOUNT": "acme",
				"OLD_STORE_AZURE_STORAGE_KEY":     someKey,
			},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:   "named credentials: a signature",
			config: Config{Account: "acme", Credentials: "old-store"},
			environment: map[string]string{
				"OLD_STORE_AZURE_STORAGE_ACCOUNT":   "acme",
				"OLD_STORE_AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x",
			},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "sas sv=1&sig=x",
		},
		{
			name:   "named credentials: a service principal with a secret",
			config: Config{Account: "acme", Credentials: "old-store"},
			environment: map[string]string{
				"OLD_STORE_AZURE_CLIENT_ID":     "client",
				"OLD_STORE_AZURE_TENANT_ID":     "tenant",
				"OLD_STORE_AZURE_CLIENT_SECRET": "S3CR3T",
			},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "token",
		},
		{
			name:   "named credentials: a service principal with a federated token",
			config: Config{Endpoint: "http://127.0.0.1:10000/acme", Credentials: "old-store"},
			environment: map[string]string{
				"OLD_STORE_AZURE_CLIENT_ID":            "client",
				"OLD_STORE_AZURE_TENANT_ID":            "tenant",
				"OLD_STORE_AZURE_FEDERATED_TOKEN_FILE": "/token",
			},
			wantEndpoint:   "http://127.0.0.1:10000/acme",
			wantAccount:    "acme",
			wantCredential: "token",
		},
		{
			name:           "named credentials: a managed identity",
			config:         Config{Account: "acme", Credentials: "old-store"},
			environment:    map[string]string{"OLD_STORE_AZURE_CLIENT_ID": "client"},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "token",
		},
		{
			name:           "an account and its key",
			config:         Config{Account: "acme", Key: someKey},
			environment:    map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "x=y"},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "an endpoint",
			config:         Config{Endpoint: "https://acme.blob.core.chinacloudapi.cn/"},
			wantEndpoint:   "https://acme.blob.core.chinacloudapi.cn",
			wantAccount:    "acme",
			wantCredential: "chain",
		},
		{
			name:           "an endpoint of a zone",
			config:         Config{Endpoint: "https://acme.z01.blob.storage.azure.net", Anonymous: true},
			wantEndpoint:   "https://acme.z01.blob.storage.azure.net",
			wantAccount:    "acme",
			wantCredential: "anonymous",
		},
		{
			name:           "the account's second region",
			config:         Config{Endpoint: "https://acme-secondary.blob.core.windows.net", Key: someKey},
			wantEndpoint:   "https://acme-secondary.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "a domain of one's own",
			config:         Config{Endpoint: "https://blobs.example.com", Account: "acme", Key: someKey},
			wantEndpoint:   "https://blobs.example.com",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "a shared access signature",
			config:         Config{Account: "acme", SASToken: "?sv=1&sig=x"},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "sas sv=1&sig=x",
		},
		{
			name:           "a token",
			config:         Config{Account: "acme", Credential: noToken{}},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "token",
		},
		{
			name:           "a connection string",
			config:         Config{ConnectionString: testConnectionString},
			wantEndpoint:   "https://acme.blob.core.usgovcloudapi.net",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "a connection string with a signature",
			config:         Config{ConnectionString: "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x=="},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "sas sv=1&sig=x==",
		},
		{
			name:           "the emulator",
			config:         Config{Endpoint: "http://127.0.0.1:10000/devstoreaccount1"},
			wantEndpoint:   "http://127.0.0.1:10000/devstoreaccount1",
			wantAccount:    "devstoreaccount1",
			wantCredential: "key emulator",
		},
		{
			name:           "the emulator, by its connection string",
			config:         Config{ConnectionString: "UseDevelopmentStorage=true;"},
			wantEndpoint:   "http://127.0.0.1:10000/devstoreaccount1",
			wantAccount:    "devstoreaccount1",
			wantCredential: "key emulator",
		},
		{
			name:           "the emulator in a network of containers",
			config:         Config{Endpoint: "http://azurite:10000/devstoreaccount1"},
			wantEndpoint:   "http://azurite:10000/devstoreaccount1",
			wantAccount:    "devstoreaccount1",
			wantCredential: "key emulator",
		},
		{
			name:           "the emulator on the host of a container",
			config:         Config{Endpoint: "http://host.docker.internal:10000/devstoreaccount1"},
			wantEndpoint:   "http://host.docker.internal:10000/devstoreaccount1",
			wantAccount:    "devstoreaccount1",
			wantCredential: "key emulator",
		},
		{
			name: "the emulator in a cluster",
			config: Config{
				Endpoint: "http://azurite.dev.svc.cluster.local:10000/acme",
				Account:  "acme",
				Key:      someKey,
			},
			wantEndpoint:   "http://azurite.dev.svc.cluster.local:10000/acme",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "the emulator in a cluster, by its connection string",
			config:         Config{ConnectionString: "AccountName=acme;AccountKey=" + someKey + ";BlobEndpoint=http://azurite.dev.svc.cluster.local:10000/acme"},
			wantEndpoint:   "http://azurite.dev.svc.cluster.local:10000/acme",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "a host in upper case",
			config:         Config{Endpoint: "https://Acme.blob.core.windows.net", Anonymous: true},
			wantEndpoint:   "https://Acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "anonymous",
		},
		{
			name:           "the emulator, by another's account",
			config:         Config{Endpoint: "http://localhost:10000/acme", Key: someKey},
			wantEndpoint:   "http://localhost:10000/acme",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "the emulator, anonymous",
			config:         Config{Endpoint: "http://127.0.0.1:10000/devstoreaccount1", Anonymous: true},
			wantEndpoint:   "http://127.0.0.1:10000/devstoreaccount1",
			wantAccount:    "devstoreaccount1",
			wantCredential: "anonymous",
		},
		{
			name:           "the environment's connection string",
			config:         Config{},
			environment:    map[string]string{"AZURE_STORAGE_CONNECTION_STRING": testConnectionString},
			wantEndpoint:   "https://acme.blob.core.usgovcloudapi.net",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "the environment's connection string, of the account that is named",
			config:         Config{Account: "acme"},
			environment:    map[string]string{"AZURE_STORAGE_CONNECTION_STRING": testConnectionString},
			wantEndpoint:   "https://acme.blob.core.usgovcloudapi.net",
			wantAccount:    "acme",
			wantCredential: "key some key",
		},
		{
			name:           "the environment's connection string, of another account",
			config:         Config{Account: "other"},
			environment:    map[string]string{"AZURE_STORAGE_CONNECTION_STRING": testConnectionString},
			wantEndpoint:   "https://other.blob.core.windows.net",
			wantAccount:    "other",
			wantCredential: "chain",
		},
		{
			name:           "the environment's account and key",
			config:         Config{},
			environment:    map[string]string{"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": otherKey},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "key other key",
		},
		{
			name:   "the environment's account and signature",
			config: Config{},
			environment: map[string]string{
				"AZURE_STORAGE_ACCOUNT":   "acme",
				"AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x",
			},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "sas sv=1&sig=x",
		},
		{
			name:   "the environment's signature, of a server of one's own",
			config: Config{Account: "acme", Endpoint: "https://blobs.example.com"},
			environment: map[string]string{
				"AZURE_STORAGE_ACCOUNT":   "acme",
				"AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x",
			},
			wantEndpoint:   "https://blobs.example.com",
			wantAccount:    "acme",
			wantCredential: "chain",
		},
		{
			name:   "the environment's signature, in clear",
			config: Config{Account: "acme", Endpoint: "http://acme.blob.core.windows.net"},
			environment: map[string]string{
				"AZURE_STORAGE_ACCOUNT":   "acme",
				"AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x",
			},
			wantEndpoint:   "http://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "chain",
		},
		{
			name:   "the environment's signature, at the host of another account",
			config: Config{Account: "acme", Endpoint: "https://other.blob.core.windows.net"},
			environment: map[string]string{
				"AZURE_STORAGE_ACCOUNT":   "acme",
				"AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x",
			},
			wantEndpoint:   "https://other.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "chain",
		},
		{
			name:   "the environment's signature, at a private host of Azure's",
			config: Config{Account: "acme", Endpoint: "https://acme.privatelink.blob.core.windows.net"},
			environment: map[string]string{
				"AZURE_STORAGE_ACCOUNT":   "acme",
				"AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x",
			},
			wantEndpoint:   "https://acme.privatelink.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "sas sv=1&sig=x",
		},
		{
			name:   "a connection string with a signature, of a server of one's own",
			config: Config{Account: "acme", Endpoint: "https://blobs.example.com"},
			environment: map[string]string{
				"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acme;SharedAccessSignature=sv=1&sig=x",
			},
			wantEndpoint:   "https://blobs.example.com",
			wantAccount:    "acme",
			wantCredential: "chain",
		},
		{
			name:   "a connection string with a signature and its own server",
			config: Config{Account: "acme", Endpoint: "https://blobs.example.com"},
			environment: map[string]string{
				"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acme;SharedAccessSignature=sv=1&sig=x;" +
					"BlobEndpoint=https://blobs.example.com/",
			},
			wantEndpoint:   "https://blobs.example.com",
			wantAccount:    "acme",
			wantCredential: "sas sv=1&sig=x",
		},
		{
			name:   "a signature with a name, of a server of one's own",
			config: Config{Account: "acme", Endpoint: "https://blobs.example.com", Credentials: "old-store"},
			environment: map[string]string{
				"OLD_STORE_AZURE_STORAGE_ACCOUNT": "acme", "OLD_STORE_AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x",
			},
			wantEndpoint:   "https://blobs.example.com",
			wantAccount:    "acme",
			wantCredential: "sas sv=1&sig=x",
		},
		{
			name:           "only the environment's account",
			config:         Config{},
			environment:    map[string]string{"AZURE_STORAGE_ACCOUNT": "acme"},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "chain",
		},
		{
			name:           "the environment's key, of another account",
			config:         Config{Endpoint: "http://127.0.0.1:10000/devstoreaccount1"},
			environment:    map[string]string{"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": otherKey},
			wantEndpoint:   "http://127.0.0.1:10000/devstoreaccount1",
			wantAccount:    "devstoreaccount1",
			wantCredential: "key emulator",
		},
		{
			name:           "the environment's key, of a domain of one's own",
			config:         Config{Endpoint: "https://blobs.example.com"},
			environment:    map[string]string{"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": otherKey},
			wantEndpoint:   "https://blobs.example.com",
			wantCredential: "chain",
		},
		{
			name:           "the environment, with Anonymous",
			config:         Config{Account: "acme", Anonymous: true},
			environment:    map[string]string{"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": otherKey},
			wantEndpoint:   "https://acme.blob.core.windows.net",
			wantAccount:    "acme",
			wantCredential: "anonymous",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, tt.environment)
			a, err := newAccount(tt.config)
			require.NoError(t, err)
			require.Equal(t, tt.wantEndpoint, a.endpoint.String())
			require.Equal(t, tt.wantAccount, a.name)
			require.Equal(t, tt.wantCredential, credentialKind(a))
			require.NoError(t, a.close())
		})
	}
}

// Open fails with InvalidArgument for an invalid Config, and its error does not show the key.
func TestOpenInvalidConfig(t *testing.T) {
	client, err := service.NewClientWithNoCredential("https://acme.blob.core.windows.net/", nil)
	require.NoError(t, err)

	tests := []struct {
		name   string
		config Config
	}{
		{name: "no account"},
		{name: "an account that is an address", config: Config{Account: "acme.blob.core.windows.net"}},
		{name: "a key and a signature", config: Config{Account: "acme", Key: someKey, SASToken: "x"}},
		{
			name:   "a key and named credentials",
			config: Config{Account: "acme", Key: someKey, Credentials: "old-store"},
		},
		{name: "invalid name of credentials", config: Config{Account: "acme", Credentials: "a b"}},
		{name: "a key and Anonymous", config: Config{Account: "acme", Key: someKey, Anonymous: true}},
		{name: "a key that is not base64", config: Config{Account: "acme", Key: "!"}},
		{name: "a key without an account", config: Config{Endpoint: "https://blobs.example.com", Key: someKey}},
		{
			name:   "a connection string and an account",
			config: Config{Account: "acme", ConnectionString: testConnectionString},
		},
		{name: "a connection string without a name", config: Config{ConnectionString: "AccountKey=" + someKey}},
		{name: "a connection string without a key", config: Config{ConnectionString: "AccountName=acme"}},
		{name: "a malformed connection string", config: Config{ConnectionString: "acme"}},
		{name: "a client of the SDK and an HTTP client", config: Config{Client: client, HTTPClient: http.DefaultClient}},
		{name: "a client of the SDK and a signature", config: Config{Client: client, SASToken: "x"}},
		{name: "an endpoint that is not a URL", config: Config{Endpoint: "acme"}},
		{name: "an endpoint with a signature", config: Config{Endpoint: "https://acme.blob.core.windows.net/?sig=x"}},
		{name: "an endpoint with a container", config: Config{Endpoint: "https://acme.blob.core.windows.net/photos"}},
		{
			name:   "a server's endpoint with containers",
			config: Config{Endpoint: "https://blobs.example.com/acme/photos"},
		},
		{
			name:   "an endpoint of another account",
			config: Config{Endpoint: "https://blobs.example.com/photos", Account: "acme", Key: someKey},
		},
		{name: "an endpoint without its account", config: Config{Endpoint: "http://127.0.0.1:10000"}},
		{name: "an endpoint of Data Lake", config: Config{Endpoint: "https://acme.dfs.core.windows.net"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, nil)
			tt.config.Bucket = "photos"
			_, err := Open(t.Context(), tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.NotContains(t, err.Error(), someKey)
		})
	}

	_, err = Open(t.Context(), Config{Account: "acme"})
	require.ErrorIs(t, err, storage.InvalidArgument, "a Config must name a container")
}

// Open fails if no environment variable has the named credentials, and the error lists the
// variables to set.
func TestCredentialsByNameMissing(t *testing.T) {
	const variablesHint = "set OLD_STORE_AZURE_STORAGE_CONNECTION_STRING of the account, " +
		"or OLD_STORE_AZURE_STORAGE_ACCOUNT with OLD_STORE_AZURE_STORAGE_KEY or OLD_STORE_AZURE_STORAGE_SAS_TOKEN, " +
		"or OLD_STORE_AZURE_CLIENT_ID with the other variables of an identity"
	tests := []struct {
		name    string
		config  Config
		env     map[string]string
		wantErr string // the error that is wrapped, or "" for any
	}{
		{name: "no variable"},
		{name: "account in Config, no variable", config: Config{Account: "acme"}},
		{
			name:   "variables without the name",
			config: Config{Account: "acme"},
			env:    map[string]string{"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": someKey},
		},
		{
			name:    "variables of another account",
			config:  Config{Account: "other"},
			env:     map[string]string{"OLD_STORE_AZURE_STORAGE_CONNECTION_STRING": testConnectionString},
			wantErr: "the credentials named old-store are for the account acme, not for other",
		},
		{name: "account of the emulator", config: Config{Endpoint: emulatorEndpoint}},
		{
			name:   "managed identity for a host that is not Azure's",
			config: Config{Endpoint: "https://blobs.example.com/acme"},
			env:    map[string]string{"OLD_STORE_AZURE_CLIENT_ID": "client"},
		},
		{
			name:   "tenant without a client",
			config: Config{Account: "acme"},
			env: map[string]string{
				"OLD_STORE_AZURE_TENANT_ID":     "tenant",
				"OLD_STORE_AZURE_CLIENT_SECRET": "S3CR3T",
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, tt.env)
			tt.config.Bucket = "photos"
			tt.config.Credentials = "old-store"

			_, err := Open(t.Context(), tt.config)
			require.ErrorIs(t, err, storage.Unauthenticated)
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, variablesHint, e.Hint)
			if tt.wantErr != "" {
				require.EqualError(t, e.Err, tt.wantErr)
			}
		})
	}
}

// Open fails with Unauthenticated if the certificate of named credentials cannot be opened.
func TestCredentialsByNameWithoutCertificate(t *testing.T) {
	setEnv(t, map[string]string{
		"OLD_STORE_AZURE_CLIENT_ID":               "client",
		"OLD_STORE_AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere",
	})

	_, err := Open(t.Context(), Config{Bucket: "photos", Account: "acme", Credentials: "old-store"})
	require.ErrorIs(t, err, storage.Unauthenticated)
	var e *storage.Error
	require.ErrorAs(t, err, &e)
}

// parseAddress returns the Config that an address stands for, and storage.Open opens its container.
func TestAddresses(t *testing.T) {
	setEnv(t, nil)
	tests := []struct {
		address string
		want    Config
	}{
		{
			address: "azblob://photos?account=acme",
			want:    Config{Bucket: "photos", Account: "acme"},
		},
		{
			address: "azblob://photos?endpoint=http://127.0.0.1:10000/devstoreaccount1",
			want:    Config{Bucket: "photos", Endpoint: "http://127.0.0.1:10000/devstoreaccount1"},
		},
		{
			address: "azblob://photos/?account=acme&anonymous=true",
			want:    Config{Bucket: "photos", Account: "acme", Anonymous: true},
		},
		{
			address: "azblob://photos?account=acme&encryption_scope=tenant-1",
			want:    Config{Bucket: "photos", Account: "acme", EncryptionScope: "tenant-1"},
		},
		{
			address: "azblob://photos?account=acme&kms_key=tenant-1",
			want:    Config{Bucket: "photos", Account: "acme", EncryptionScope: "tenant-1"},
		},
		{
			address: "azblob://photos?account=acme&api_version=2019-07-07",
			want:    Config{Bucket: "photos", Account: "acme", APIVersion: "2019-07-07"},
		},
		{
			address: "azblob://$root?account=acme&anonymous=false&versions=true&public=true",
			want:    Config{Bucket: "$root", Account: "acme"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			address, err := url.Parse(tt.address)
			require.NoError(t, err)
			config, err := parseAddress(address)
			require.NoError(t, err)
			require.Equal(t, tt.want, config)

			// The address opens the container.
			bucket, err := storage.Open(t.Context(), tt.address)
			require.NoError(t, err)
			client, ok := storage.As[*container.Client](bucket)
			require.True(t, ok)
			require.Contains(t, client.URL(), tt.want.Bucket)
			require.NoError(t, storage.Close(bucket))
		})
	}
}

// storage.Open fails with InvalidArgument for an invalid address.
func TestAddressesInvalid(t *testing.T) {
	setEnv(t, nil)
	tests := []struct{ name, address string }{
		{name: "no container", address: "azblob://?account=acme"},
		{name: "no slashes", address: "azblob:photos?account=acme"},
		{name: "credentials", address: "azblob://key@photos?account=acme"},
		{name: "port", address: "azblob://photos:80?account=acme"},
		{name: "path", address: "azblob://photos/a?account=acme"},
		{name: "flag neither true nor false", address: "azblob://photos?account=acme&anonymous=perhaps"},
		{name: "unknown parameter", address: "azblob://photos?account=acme&key=x"},
		{name: "key of another provider", address: "azblob://photos?account=acme&kms_key=arn:aws:kms:1"},
		{
			name:    "two encryption scopes",
			address: "azblob://photos?account=acme&kms_key=tenant-1&encryption_scope=tenant-2",
		},
		{name: "no account", address: "azblob://photos"},
		{name: "version that is no date", address: "azblob://photos?account=acme&api_version=latest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := storage.Open(t.Context(), tt.address)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// storage.OpenService opens the address of an account, and refuses one that names a container.
func TestServiceAddresses(t *testing.T) {
	setEnv(t, nil)
	account, err := storage.OpenService(t.Context(), "azblob://?account=acme")
	require.NoError(t, err)
	require.NoError(t, account.Close())

	_, err = storage.OpenService(t.Context(), "azblob://photos?account=acme")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Opening and describing a driver sends no request.
func TestOpenMakesNoRequest(t *testing.T) {
	setEnv(t, nil)
	server := newCannedServer(t)
	for _, credentials := range []Config{{}, {SASToken: "sig=x"}, {Anonymous: true}} {
		d := server.openDriver(t, func(c *Config) {
			c.SASToken = credentials.SASToken
			c.Anonymous = credentials.Anonymous
		})
		d.Describe()
		d.Locate("a")
		require.NotNil(t, d.Native())
	}
	require.Empty(t, server.Requests())
}

// Describe returns the features and limits of Azure.
func TestDescribe(t *testing.T) {
	d := newCannedServer(t).openDriver(t)
	desc := d.Describe()
	require.Equal(t, "azure", desc.Provider)
	require.Equal(t, "photos", desc.Bucket)
	require.Equal(t, d.account.endpoint.String()+"/photos/", desc.PublicBaseURL)

	// Azure has the features of the first list, and lacks those of the second one.
	for _, feature := range []storage.Features{
		storage.MultipartUploads, storage.ConditionalCreate, storage.ConditionalUpdate,
		storage.ConditionalRemove, storage.UniqueRevisions, storage.ServerCopy, storage.ServerCompose,
		storage.Versioning, storage.StorageClasses, storage.OrderedListing, storage.SignedURLs,
	} {
		require.NotZero(t, desc.Features&feature, feature)
	}
	for _, feature := range []storage.Features{
		driver.StreamingPut, driver.EqualParts, driver.SequentialParts, storage.ObjectACLs,
		storage.SignedForms, storage.SignedSize, storage.SignedContentType, storage.SignedHead,
	} {
		require.Zero(t, desc.Features&feature, feature)
	}

	// MaxParts and MaxPartSize permit the largest blob.
	const maxBlobBlocks, maxBlobBlockSize = 50_000, 4000 << 20
	require.Equal(t, int64(maxBlobBlocks)*maxBlobBlockSize, int64(desc.MaxParts)*desc.MaxPartSize)
}

// Each request has the account in its path if the endpoint has it there.
func TestEndpointWithAccountInPath(t *testing.T) {
	// These are the replies to Head, Delete and DeleteBatch, in this order.
	server := newCannedServer(t, objectReply("x"), reply{Status: 202}, batchReply("202"))

	// The client connects to the test server, whatever the host is.
	serverAddress := server.Listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, serverAddress)
		},
	}}
	d := server.openDriver(t, func(c *Config) {
		c.Endpoint = "http://azurite.dev.svc.cluster.local:10000/" + emulatorAccount
		c.HTTPClient = client
	})

	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a b/c", Version: versionAt(1), Length: -1})
	require.NoError(t, err)
	require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a b/c"}))
	require.Equal(t, []error{nil}, d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a"}}))

	require.Equal(t, []string{
		"HEAD /photos/a%20b/c?versionid=2026-11-20T12%3A00%3A01.0000000Z",
		"DELETE /photos/a%20b%2Fc",
		"POST /photos?comp=batch&restype=container",
	}, server.Lines())

	// Requests inside a batch have the account in their paths, too.
	require.Contains(t, server.Last(t).Body, "DELETE /devstoreaccount1/photos/a HTTP/1.1")
}

// Locate returns equal accounts only if account and credential are the same. If the accounts are
// equal, the server can copy between the buckets.
func TestLocateIdentifiesTheCredential(t *testing.T) {
	setEnv(t, nil)
	byKey := Config{Account: "acme", Key: someKey}
	byChain := Config{Account: "acme"}
	bySAS := Config{Account: "acme", SASToken: "sig=x"}
	byAnotherSAS := Config{Account: "acme", SASToken: "sig=y"}
	byToken := Config{Account: "acme", Credential: noToken{}}
	tests := []struct {
		name    string
		a, b    Config
		isEqual bool
	}{
		{name: "one key", a: byKey, b: byKey, isEqual: true},
		{
			name:    "one chain",
			a:       byChain,
			b:       Config{Endpoint: "https://acme.blob.core.windows.net/"},
			isEqual: true,
		},
		{name: "a key of another account", a: byKey, b: Config{Account: "other", Key: someKey}},
		{name: "a key and the chain", a: byKey, b: byChain},
		{name: "a key and no credential", a: byKey, b: Config{Account: "acme", Anonymous: true}},
		{name: "a key and a signature", a: byKey, b: bySAS},
		{name: "a key and another signature", a: byKey, b: byAnotherSAS},
		{name: "two signatures", a: bySAS, b: byAnotherSAS},
		{name: "tokens of unknown owners", a: byToken, b: byToken},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.isEqual {
				require.Equal(t, locateAccount(t, tt.a), locateAccount(t, tt.b))
				return
			}
			require.NotEqual(t, locateAccount(t, tt.a), locateAccount(t, tt.b))
		})
	}
}

// locateAccount returns the account that Locate of a new driver returns.
func locateAccount(t *testing.T, c Config) any {
	t.Helper()
	c.Bucket = "photos"
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.Locate("a").Account
}

// With Config.Client, each call makes one attempt, because the engine decides on retries. The
// client alone would retry. The driver's native client is the client of the container.
func TestConfigClientAttempts(t *testing.T) {
	// The SDK's client has its default retries. The server is always busy.
	server := newCannedServer(t, errorReply(503, "ServerBusy"))
	key, err := service.NewSharedKeyCredential(emulatorAccount, emulatorKey)
	require.NoError(t, err)
	transport := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	client, err := service.NewClientWithSharedKeyCredential(server.URL+"/"+emulatorAccount, key,
		&service.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: transport}})
	require.NoError(t, err)
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })

	native, ok := d.Native().(*container.Client)
	require.True(t, ok)
	require.Contains(t, native.URL(), "/photos")

	calls := []struct {
		name string
		make func(ctx context.Context) error
	}{
		{
			name: "Put",
			make: func(ctx context.Context) error {
				_, err := d.Put(ctx, wiretest.Put("a", "x"))
				return err
			},
		},
		{
			name: "Get",
			make: func(ctx context.Context) error {
				_, _, err := d.Get(ctx, &driver.GetRequest{Key: "a", Length: -1})
				return err
			},
		},
		{
			name: "Head",
			make: func(ctx context.Context) error {
				_, err := d.Head(ctx, &driver.GetRequest{Key: "a", Length: -1})
				return err
			},
		},
		{
			name: "List",
			make: func(ctx context.Context) error {
				_, err := d.List(ctx, &driver.ListRequest{Limit: 1})
				return err
			},
		},
		{
			name: "Delete",
			make: func(ctx context.Context) error {
				return d.Delete(ctx, &driver.DeleteRequest{Key: "a"})
			},
		},
	}
	require.Empty(t, server.Requests())
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			requestsBefore := len(server.Requests())
			require.ErrorIs(t, call.make(t.Context()), storage.RateLimited)
			require.Len(t, server.Requests(), requestsBefore+1)
			require.Equal(t, "identity", server.Last(t).Header.Get("Accept-Encoding"))
		})
	}
}

// For a host that is not Azure's, the default chain asks no metadata service.
func TestDefaultChainWithoutMetadataService(t *testing.T) {
	setEnv(t, nil)
	tests := []struct {
		endpoint  string
		isForeign bool
	}{
		{endpoint: "https://acme.blob.core.windows.net"},
		{endpoint: "https://acme.blob.core.chinacloudapi.cn"},
		{endpoint: "https://acme.z01.blob.storage.azure.net"},
		{endpoint: "https://blobs.example.com", isForeign: true},
		{endpoint: "http://127.0.0.1:10000/acme", isForeign: true},
		{endpoint: "https://windows.net.example.com", isForeign: true},
		{endpoint: "https://acme.blob.core.windows.net.evil.x", isForeign: true},
	}
	for _, tt := range tests {
		t.Run(tt.endpoint, func(t *testing.T) {
			a, err := newAccount(Config{Endpoint: tt.endpoint})
			require.NoError(t, err)
			require.Equal(t, tt.isForeign, a.token.(*defaultChain).isForeign)
			require.NoError(t, a.close())
		})
	}
}

// The default chain sends no token to a host that is not Azure's, and the hint says how to set a
// credential for it.
func TestDefaultChainOfForeignHost(t *testing.T) {
	setEnv(t, map[string]string{
		"AZURE_TENANT_ID":     "tenant",
		"AZURE_CLIENT_ID":     "client",
		"AZURE_CLIENT_SECRET": "secret",
	})
	chain := &defaultChain{isForeign: true}

	_, err := chain.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{tokenScope}})
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.Contains(t, asError(err).Hint, "set Config.Credential")
}

// The default chain asks the identity service of the endpoint's cloud, because clouds do not share
// identities. https://learn.microsoft.com/azure/developer/go/sdk/sovereign-clouds.
func TestDefaultChainOfCloud(t *testing.T) {
	setEnv(t, nil)
	for endpoint, want := range map[string]string{
		"https://acme.blob.core.windows.net":       "",
		"https://Acme.blob.core.usgovcloudapi.net": "https://login.microsoftonline.us/",
		"https://acme.blob.core.chinacloudapi.cn":  "https://login.chinacloudapi.cn/",
		"https://usgovcloudapi.net.example.com":    "",
	} {
		a, err := newAccount(Config{Endpoint: endpoint})
		require.NoError(t, err)
		require.Equal(t, want, a.token.(*defaultChain).cloud.ActiveDirectoryAuthorityHost, endpoint)
		require.NoError(t, a.close())
	}

	t.Setenv("AZURE_AUTHORITY_HOST", "https://login.example")
	a, err := newAccount(Config{Endpoint: "https://acme.blob.core.usgovcloudapi.net"})
	require.NoError(t, err)
	require.Empty(t, a.token.(*defaultChain).cloud.ActiveDirectoryAuthorityHost, "the SDK must read the variable")
	require.NoError(t, a.close())
}

// The driver signs with Config.Key if Config also has a Client.
func TestConfigKeyWithClient(t *testing.T) {
	setEnv(t, map[string]string{"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": otherKey})
	client, err := service.NewClientWithNoCredential("https://acme.blob.core.windows.net/?sv=1&sig=x", nil)
	require.NoError(t, err)

	// Without a key in Config, only the client makes requests, and nothing can be signed.
	a, err := newAccount(Config{Client: client})
	require.NoError(t, err)
	require.Equal(t, "the client's", credentialKind(a), "the environment must not count")
	require.Zero(t, a.driver("photos").Describe().Features&storage.SignedURLs)

	// With a key, URLs can be signed.
	a, err = newAccount(Config{Client: client, Key: someKey})
	require.NoError(t, err)
	require.Equal(t, "key some key", credentialKind(a))
	require.Equal(t, "https://acme.blob.core.windows.net", a.endpoint.String())
	require.NotZero(t, a.driver("photos").Describe().Features&storage.SignedURLs)
}

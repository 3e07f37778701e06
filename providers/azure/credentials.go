package azure

import (
	"cmp"
	"crypto/sha256"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/named"
)

// The emulator's account, whose key is public.
// https://learn.microsoft.com/azure/storage/common/storage-use-azurite
const (
	emulatorAccount  = "devstoreaccount1"
	emulatorKey      = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	emulatorEndpoint = "http://127.0.0.1:10000/" + emulatorAccount
)

type settings struct {
	endpoint  *url.URL
	name      string
	key       string
	sharedKey *service.SharedKeyCredential
	token     azcore.TokenCredential
	sas       string
	anonymous bool
}

func checkConfig(c Config) error {
	given := 0
	for _, there := range []bool{c.Key != "", c.SASToken != "", c.ConnectionString != "", c.Credential != nil, c.Anonymous, c.Credentials != ""} {
		if there {
			given++
		}
	}
	if c.EncryptionScope != "" {
		if c.APIVersion != "" && c.APIVersion < encryptionVersion {
			return argument.Invalid("Config.EncryptionScope", "needs the service version "+encryptionVersion+" or later in Config.APIVersion", "")
		}
		if err := checkScope("Config.EncryptionScope", c.EncryptionScope); err != nil {
			return err
		}
	}
	switch {
	case c.CredentialsFor != nil:
		return argument.Invalid("Config.CredentialsFor", "must be of a container: an account has no blobs", "")
	case !validVersion(c.APIVersion):
		return argument.Invalid("Config.APIVersion (api_version=)", "must be a service version from "+oldestVersion+" to "+sasVersion, "")
	case given > 1:
		return argument.Invalid("Config.Key, SASToken, ConnectionString, Credential, Credentials and Anonymous", "must not be set together", "")
	case c.Client != nil && (c.SASToken != "" || c.ConnectionString != "" || c.Credentials != "" || c.Anonymous || c.HTTPClient != nil):
		return argument.Invalid("Config.Client", "has its own credential and HTTP client", "set only Key or Credential with it, to sign URLs")
	case c.ConnectionString != "" && (c.Account != "" || c.Endpoint != ""):
		return argument.Invalid("Config.ConnectionString", "contains account and endpoint: do not set them too", "")
	}
	return named.Credentials(c.Credentials).Check()
}

func validVersion(version string) bool {
	if version == "" {
		return true
	}
	_, err := time.Parse(time.DateOnly, version)
	return err == nil && oldestVersion <= version && version <= sasVersion
}

// resolveSettings returns the settings of a Config. If it has no credential, they
// are completed from the environment, or from its variables with the name of the credentials.
func resolveSettings(c Config) (*settings, error) {
	s := &settings{name: c.Account, key: c.Key, token: c.Credential, anonymous: c.Anonymous}
	s.sas = strings.TrimPrefix(c.SASToken, "?")
	name := named.Credentials(c.Credentials)
	endpoint := c.Endpoint
	if c.Client != nil {
		endpoint, _, _ = strings.Cut(c.Client.URL(), "?")
	}
	if c.ConnectionString != "" {
		from, err := parseConnectionString(c.ConnectionString)
		if err != nil {
			return nil, err
		}
		s.name, s.key, s.sas, endpoint = from.name, from.key, from.sas, from.endpoint
	}
	silent := !s.anonymous && s.key == "" && s.sas == "" && s.token == nil && c.Client == nil
	if silent {
		get := os.Getenv
		if c.Credentials != "" {
			get = name.Get
		}
		given, err := s.fromEnvironment(endpoint, get)
		if err != nil {
			return nil, err
		}
		if endpoint = given; endpoint == "" && s.name == "" && c.Credentials != "" {
			return nil, noneNamed(name)
		}
	}
	if err := s.resolveEndpoint(endpoint); err != nil {
		return nil, err
	}
	switch {
	case !silent || s.key != "" || s.sas != "":
	case c.Credentials != "":
		if err := s.useNamed(name); err != nil {
			return nil, err
		}
	default:
		s.useDefaults()
	}
	return s, s.parseKey()
}

// resolveEndpoint sets endpoint and name, each from the other if it is missing.
func (s *settings) resolveEndpoint(endpoint string) error {
	if endpoint == "" {
		if s.name == "" {
			return argument.Invalid("account", "must be known", "set Config.Account, account= in the address, or AZURE_STORAGE_ACCOUNT")
		}
		if strings.Trim(s.name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return argument.Invalid("account", "must have only lower-case letters and digits", "")
		}
		endpoint = "https://" + s.name + ".blob.core.windows.net"
	}
	u, name, err := parseEndpoint(endpoint, s.name)
	if err != nil {
		return err
	}
	s.endpoint = u
	s.name = cmp.Or(s.name, name)
	if s.name == "" && s.key != "" {
		return argument.Invalid("account", "must be known", "a custom domain does not contain it: set Config.Account or account=")
	}
	return nil
}

// fromEnvironment sets the credentials that the variables of get have for the account.
// If the account is not known, it sets that too.
func (s *settings) fromEnvironment(endpoint string, get func(variable string) string) (string, error) {
	name := s.name
	if endpoint != "" && name == "" {
		u, told, err := parseEndpoint(endpoint, "")
		if err != nil {
			return "", err
		}
		if name = told; name == "" {
			name = u.Host // no account of the environment has this name
		}
	}
	if text := get("AZURE_STORAGE_CONNECTION_STRING"); text != "" {
		from, err := parseConnectionString(text)
		if err != nil {
			return "", err
		}
		if name == "" || name == from.name {
			s.name, s.key, s.sas = from.name, from.key, from.sas
			endpoint = cmp.Or(endpoint, from.endpoint)
			return endpoint, nil
		}
	}
	if own := get("AZURE_STORAGE_ACCOUNT"); own != "" && (name == "" || name == own) {
		s.name = own
		if s.key = get("AZURE_STORAGE_KEY"); s.key == "" {
			s.sas = strings.TrimPrefix(get("AZURE_STORAGE_SAS_TOKEN"), "?")
		}
	}
	return endpoint, nil
}

// useDefaults sets the credential if neither the Config nor the environment has
// one.
func (s *settings) useDefaults() {
	if s.endpoint.Path == "/"+emulatorAccount && s.name == emulatorAccount {
		s.key = emulatorKey
		return
	}
	host := strings.ToLower(s.endpoint.Hostname())
	s.token = &defaultChain{local: !azureHost(host), cloud: cloudOf(host)}
}

func (s *settings) parseKey() error {
	if s.key == "" {
		return nil
	}
	key, err := service.NewSharedKeyCredential(s.name, s.key)
	if err != nil {
		return argument.Invalid("account key", "must be in base64", "") // the SDK's error may quote it
	}
	s.sharedKey = key
	return nil
}

// A sharedIdentity makes accounts equal that were opened separately with one
// credential. The service can then copy between their containers.
type sharedIdentity struct {
	endpoint, kind string
	secret         [sha256.Size]byte // of the secret, for kinds that have several
}

func (a *account) identify(c Config) {
	shared := sharedIdentity{endpoint: a.root}
	switch _, chain := a.token.(*defaultChain); {
	case c.Client != nil || c.Credential != nil:
		a.identity = a
		return
	case a.sharedKey != nil:
		shared.kind = "key"
	case chain:
		shared.kind = "chain"
	case a.token != nil:
		shared.kind = "named " + c.Credentials
	case a.sas != "":
		shared.kind, shared.secret = "sas", sha256.Sum256([]byte(a.sas))
	default:
		shared.kind = "anonymous"
	}
	a.identity = shared
}

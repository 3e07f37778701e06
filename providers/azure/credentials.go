package azure

import (
	"cmp"
	"crypto/sha256"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
	"github.com/omnibucket/storage/providers/internal/named"
)

// The name and key of the emulator's account. The key is public.
// https://learn.microsoft.com/azure/storage/common/storage-use-azurite
const (
	emulatorAccount  = "devstoreaccount1"
	emulatorKey      = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	emulatorEndpoint = "http://127.0.0.1:10000/" + emulatorAccount
)

// checkConfig returns InvalidArgument if a field of c is invalid, or if two fields exclude each
// other.
func checkConfig(c Config) error {
	if err := checkEncryptionScope(c); err != nil {
		return err
	}

	// For a container, openVended has cleared this field.
	if c.CredentialsFor != nil {
		return argument.Invalid("Config.CredentialsFor", "must be of a container: an account has no blobs", "")
	}
	if !isValidVersion(c.APIVersion) {
		return argument.Invalid("Config.APIVersion (api_version=)",
			"must be a service version from "+oldestVersion+" to "+sasVersion, "")
	}

	// Only one credential may be set, and a client of the SDK already has one.
	if countCredentials(c) > 1 {
		return argument.Invalid(
			"Config.Key, SASToken, ConnectionString, Credential, Credentials and Anonymous",
			"must not be set together", "",
		)
	}

	hasOwnCredential := c.SASToken != "" || c.ConnectionString != "" || c.Credentials != "" || c.Anonymous
	if c.Client != nil && (hasOwnCredential || c.HTTPClient != nil) {
		return argument.Invalid(
			"Config.Client", "has its own credential and HTTP client",
			"set only Key or Credential with it, to sign URLs",
		)
	}

	hasAddress := c.Account != "" || c.Endpoint != ""
	if c.ConnectionString != "" && hasAddress {
		return argument.Invalid("Config.ConnectionString", "contains account and endpoint: do not set them too", "")
	}
	return named.Credentials(c.Credentials).Check()
}

// checkEncryptionScope returns InvalidArgument if Config.EncryptionScope is set, but is invalid or
// newer than Config.APIVersion.
func checkEncryptionScope(c Config) error {
	if c.EncryptionScope == "" {
		return nil
	}
	if c.APIVersion != "" && c.APIVersion < encryptionVersion {
		return argument.Invalid(
			"Config.EncryptionScope",
			"needs the service version "+encryptionVersion+" or later in Config.APIVersion", "",
		)
	}
	return checkScope("Config.EncryptionScope", c.EncryptionScope)
}

// countCredentials returns the number of fields of c that each choose a credential, not counting
// CredentialsFor and Client.
func countCredentials(c Config) int {
	count := 0
	for _, isSet := range []bool{
		c.Key != "",
		c.SASToken != "",
		c.ConnectionString != "",
		c.Credential != nil,
		c.Credentials != "",
		c.Anonymous,
	} {
		if isSet {
			count++
		}
	}
	return count
}

// isValidVersion reports whether version is "" or a date from oldestVersion to sasVersion.
func isValidVersion(version string) bool {
	if version == "" {
		return true
	}
	_, err := time.Parse(time.DateOnly, version)
	return err == nil && oldestVersion <= version && version <= sasVersion
}

// resolve sets the endpoint, the account's name and the credential. If the Config has no
// credential, it comes from environment variables, whose names begin with Config.Credentials if
// that is set.
func (a *account) resolve(c Config) error {
	// Find the endpoint, and what the connection string contains.
	endpoint := c.Endpoint
	if c.Client != nil {
		// Drop the shared access signature, which the URL may have.
		endpoint, _, _ = strings.Cut(c.Client.URL(), "?")
	}
	if c.ConnectionString != "" {
		conn, err := parseConnectionString(c.ConnectionString)
		if err != nil {
			return err
		}
		a.name = conn.name
		a.key = conn.key
		a.sas = conn.sas
		endpoint = conn.endpoint
	}

	a.hasNamedCredentials = c.Credentials != ""
	hasCredential := a.isAnonymous || a.key != "" || a.sas != "" || a.token != nil || c.Client != nil
	var err error
	if hasCredential {
		err = a.resolveEndpoint(endpoint)
	} else {
		err = a.resolveWithEnvironment(endpoint, named.Credentials(c.Credentials))
	}
	if err != nil {
		return err
	}
	return a.parseKey()
}

// resolveWithEnvironment sets the endpoint, the account's name and the credential of a Config
// without a credential, from environment variables. Without a key or a shared access signature, the
// credential is the named identity or, without a name, the default identity.
func (a *account) resolveWithEnvironment(endpoint string, name named.Credentials) error {
	// With a name, get reads the variables that begin with the name.
	get := os.Getenv
	if a.hasNamedCredentials {
		get = name.Get
	}
	endpoint, err := a.fromEnvironment(endpoint, get)
	if err != nil {
		return err
	}
	if a.hasNamedCredentials && endpoint == "" && a.name == "" {
		// No variable with the name shows the account, so there are no such credentials.
		return namedCredentialsError(name)
	}
	if err := a.resolveEndpoint(endpoint); err != nil {
		return err
	}

	// Without a key or a signature, requests need the token of an identity.
	if a.key != "" || a.sas != "" {
		return nil
	}
	if a.hasNamedCredentials {
		return a.useNamed(name)
	}
	a.useDefaults()
	return nil
}

// resolveEndpoint sets the endpoint and the account's name. If one of them is missing, it follows
// from the other.
func (a *account) resolveEndpoint(endpoint string) error {
	// Without an endpoint, the account is in Azure's public cloud.
	if endpoint == "" {
		if a.name == "" {
			return argument.Invalid("account", "must be known",
				"set Config.Account, account= in the address, or AZURE_STORAGE_ACCOUNT")
		}
		if strings.Trim(a.name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return argument.Invalid("account", "must have only lower-case letters and digits", "")
		}
		endpoint = "https://" + a.name + ".blob.core.windows.net"
	}

	u, name, err := parseEndpoint(endpoint, a.name)
	if err != nil {
		return err
	}
	a.endpoint = u
	a.name = cmp.Or(a.name, name)

	// A signature with the account's key contains the account's name.
	if a.name == "" && a.key != "" {
		return argument.Invalid("account", "must be known",
			"a custom domain does not contain it: set Config.Account or account=")
	}
	return nil
}

// fromEnvironment sets the credential from environment variables, whose values get returns. It returns
// endpoint, or that of the environment if endpoint is "". It accepts only a credential for the account
// in a.name or endpoint. If both are empty, it accepts any account and also sets a.name. It accepts a
// shared access signature only for an endpoint that may receive it.
func (a *account) fromEnvironment(endpoint string, get func(variable string) string) (string, error) {
	filter, err := a.credentialFilter(endpoint)
	if err != nil {
		return "", err
	}

	// A connection string takes precedence, unless it is for another account.
	if text := get("AZURE_STORAGE_CONNECTION_STRING"); text != "" {
		conn, err := parseConnectionString(text)
		if err != nil {
			return "", err
		}
		if conn.fits(filter, endpoint) {
			a.name = conn.name
			a.key = conn.key
			a.sas = conn.sas
			return cmp.Or(endpoint, conn.endpoint), nil
		}
	}

	// The other variables count only with the name of their account, which must be the right one.
	accountName := get("AZURE_STORAGE_ACCOUNT")
	if accountName == "" || !filter.acceptsAccount(accountName) {
		return endpoint, nil
	}
	a.name = accountName
	a.key = get("AZURE_STORAGE_KEY")
	if a.key == "" && filter.acceptsSAS {
		a.sas = strings.TrimPrefix(get("AZURE_STORAGE_SAS_TOKEN"), "?")
	}
	return endpoint, nil
}

// A credentialFilter says which credentials of the environment may be used.
type credentialFilter struct {
	account    string // name of the account that the credential must be for; "" if that is unknown
	anyAccount bool   // true if the credential may be for any account
	acceptsSAS bool   // true if the endpoint may receive a shared access signature
}

// acceptsAccount reports whether the credential may be for the account with this name.
func (f credentialFilter) acceptsAccount(name string) bool {
	return f.anyAccount || f.account != "" && f.account == name
}

// credentialFilter returns which credentials of the environment fit a.name and endpoint. Both may be "".
func (a *account) credentialFilter(endpoint string) (credentialFilter, error) {
	if endpoint == "" {
		return credentialFilter{account: a.name, anyAccount: a.name == "", acceptsSAS: true}, nil
	}
	u, endpointName, err := parseEndpoint(endpoint, a.name)
	if err != nil {
		return credentialFilter{}, err
	}

	// If neither names the account, the filter accepts no credential at all.
	filter := credentialFilter{account: cmp.Or(a.name, endpointName)}
	isContradiction := a.name != "" && endpointName != "" && a.name != endpointName
	if !isContradiction {
		filter.acceptsSAS = a.mayReceive(u)
	}
	return filter, nil
}

// mayReceive reports whether a server may receive a credential of the environment that is sent as it
// is, and not only used to sign. Such a credential is a shared access signature or a token. It is
// never sent in clear. Only servers of Azure receive a credential without a name, because an address
// may name any server.
func (a *account) mayReceive(u *url.URL) bool {
	return !address.InClear(u) && (a.hasNamedCredentials || azureHost(strings.ToLower(u.Hostname())))
}

// useDefaults sets the emulator's key for the emulator's account, and Azure's default chain of
// credentials for any other.
func (a *account) useDefaults() {
	if a.endpoint.Path == "/"+emulatorAccount && a.name == emulatorAccount {
		a.key = emulatorKey
		return
	}
	a.token = &defaultChain{isForeign: !a.mayReceive(a.endpoint), cloud: cloudOf(strings.ToLower(a.endpoint.Hostname()))}
}

// parseKey sets a.sharedKey, which is the account's key in the form of the SDK, if there is a key.
func (a *account) parseKey() error {
	if a.key == "" {
		return nil
	}
	key, err := service.NewSharedKeyCredential(a.name, a.key)
	if err != nil {
		// The SDK's error may quote the key.
		return argument.Invalid("account key", "must be in base64", "")
	}
	a.sharedKey = key
	return nil
}

// A sharedIdentity compares equal for accounts that were opened separately with the same
// credential. The service can copy between the containers of such accounts.
type sharedIdentity struct {
	endpoint, kind string
	secret         [sha256.Size]byte // hash of the shared access signature; zero for other kinds
}

// identify sets the identity of the account. The service can copy between two accounts with equal
// identities. An account with a client or a credential, which cannot be compared, is identical only to
// itself.
func (a *account) identify(c Config) {
	if c.Client != nil || c.Credential != nil {
		a.identity = a
		return
	}

	identity := sharedIdentity{endpoint: a.root}
	_, isDefaultChain := a.token.(*defaultChain)
	switch {
	case a.sharedKey != nil:
		// Every key of an account permits everything, so it need not be compared.
		identity.kind = "key"
	case isDefaultChain:
		identity.kind = "chain"
	case a.token != nil:
		identity.kind = "named " + c.Credentials
	case a.sas != "":
		// Two signatures may grant different permissions.
		identity.kind = "sas"
		identity.secret = sha256.Sum256([]byte(a.sas))
	default:
		identity.kind = "anonymous"
	}
	a.identity = identity
}

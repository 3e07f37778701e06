// Package azure is the driver for Azure Blob Storage, which calls a bucket a container.
//
//	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Account: "acme"})
//	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Endpoint: "http://127.0.0.1:10000/devstoreaccount1"})
//
// The second bucket is in Azurite, the emulator, whose account needs no key.
//
// Accounts with a hierarchical namespace (Data Lake) do not list keys in byte order. For such an
// account, set [Config.HierarchicalNamespace] and list with [storage.WithAnyOrder]. If the field is
// not set, a listing in another order fails with Unsupported. A directory remains after its last
// blob has been removed, and List returns it as a prefix.
//
// Append blobs and page blobs can be read, listed, copied and removed. Removing a blob also removes
// its snapshots, which this package does not show.
//
// Tags are blob index tags. They need the permission "t" of a shared access signature, or the role
// Storage Blob Data Owner. Locks are version-level immutability policies and legal holds. They need
// the permission "i", or the same role. Only the management plane (portal, az, ARM) can create a
// container with locks. The mode Governance is an unlocked policy, and the mode Compliance is a
// locked policy. Azure has no bypass: everyone who may set an unlocked policy may also end it. So
// SetRetention, and a removal with WithGovernanceBypass, first read the policy and then change it.
// A change that another client makes between these requests may be lost. A signed upload can set
// neither tags nor locks.
//
// Defender for Storage stores its verdicts as tags. Tags returns the verdicts, copies omit them,
// and SetTags replaces them. The role Storage Blob Data Contributor may not read tags, so copies
// with that role have no tags.
//
// If the service cannot read the source blobs itself, then copies, Compose and the parts of open
// uploads pass through this process. That is so with private endpoints, with a shared access
// signature with "sip", with Config.Client, and with a token credential if api_version= is before
// 2020-10-02.
//
// [storage.As] returns a *container.Client of azblob. The client is made from Config.Client or, if
// that is nil, with the settings of the Config. It retries as the SDK does.
//
// Importing the package registers the scheme azblob, as in azblob://photos, with the parameters
// account=, endpoint=, anonymous=, credentials=, api_version=, hierarchical_namespace= and
// encryption_scope=. The last one may also be written kms_key=, as with other providers. The
// address of an account, for [storage.OpenService], is the same without a container's name.
// Credentials come from the environment: AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT
// with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN. If none of them is set, they come from the
// default credential chain of Azure's SDK. Only a server of Azure's, over https, receives a shared
// access signature or a token of the environment that has no name (credentials=).
package azure

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
)

const provider = "azure"

// Config configures a container. Opening it makes no request. At most one of the credentials may be
// set. If none is set, the credential is the first of these:
//
//   - a credential in the environment
//   - the emulator's key, if the account is the emulator's
//   - Azure's default credential chain, at the first request; the chain asks a metadata service
//     only if the endpoint is Azure's
type Config struct {
	Bucket  string // the container's name; empty for an account
	Account string // the storage account's name; "" means the name in the endpoint or the environment
	// Endpoint is the root of the blob service, such as
	// "https://acme.blob.core.usgovcloudapi.net". On a server that is not Azure, the path is
	// the account, as in "http://127.0.0.1:10000/devstoreaccount1". If Endpoint is empty, the
	// account is in Azure's public cloud.
	Endpoint string
	// HierarchicalNamespace must be true if the account has a hierarchical namespace (Data Lake).
	// Such an account lists in any order, and has no versions, tags, locks, soft delete or open
	// uploads.
	HierarchicalNamespace bool

	// EncryptionScope is the encryption scope for every object that is written. The scope's key may
	// be in a key vault. If EncryptionScope is empty, the default of the container or the account
	// applies. [WithEncryptionScope] and [WithCustomerKey] replace the scope for one object. The
	// emulator ignores EncryptionScope.
	EncryptionScope string

	Key              string                 // the account's key, in base64
	SASToken         string                 // a shared access signature, with or without its "?"
	ConnectionString string                 // has the account, and its key or a shared access signature
	Credential       azcore.TokenCredential // credential of Microsoft Entra ID
	Anonymous        bool                   // if true, requests carry no credentials, for a public container
	// Credentials is a name for credentials in the environment, for programs with several accounts.
	// If it is set, only variables that begin with the name are read. <NAME> is the name in upper
	// case, with an underscore in place of each character that is not a letter or digit. The
	// credentials are one of:
	//
	//  - <NAME>_AZURE_STORAGE_CONNECTION_STRING
	//  - <NAME>_AZURE_STORAGE_ACCOUNT, with <NAME>_AZURE_STORAGE_KEY or <NAME>_AZURE_STORAGE_SAS_TOKEN
	//  - <NAME>_AZURE_CLIENT_ID and <NAME>_AZURE_TENANT_ID, with <NAME>_AZURE_CLIENT_SECRET,
	//    <NAME>_AZURE_CLIENT_CERTIFICATE_PATH (and its _PASSWORD) or <NAME>_AZURE_FEDERATED_TOKEN_FILE
	//  - only <NAME>_AZURE_CLIENT_ID, which names a managed identity
	//
	// If no such variable is set, opening fails with Unauthenticated.
	Credentials string
	// CredentialsFor returns a shared access signature for key, which is the name of a blob or the
	// prefix of a listing. An Iceberg REST catalog vends such signatures. The function is called
	// for the first request, again half a minute before the signature expires, and once if Azure
	// refuses the signature. Concurrent requests share one call.
	// The call ends only when the function returns, so it must return when its context ends.
	//
	// If the function fails and no earlier signature is valid, the request fails with the
	// function's error. The codes PermissionDenied, RateLimited, Unavailable and DeadlineExceeded
	// are kept. Any other error gets the code Unauthenticated.
	//
	// Azure copies only between blobs with the same signature. Otherwise the bytes pass through
	// this process. With CredentialsFor, [storage.As] returns false, and [NewService] fails.
	CredentialsFor func(ctx context.Context, key string) (PrefixCredentials, error)

	// Client is a client of the SDK that makes the requests. Its settings and credential apply, but
	// its retries are off, because this library retries. Set Key or Credential too if URLs must be
	// signed.
	Client     *service.Client
	HTTPClient *http.Client // nil means a client that is made for bulk transfers

	// APIVersion is the service version of requests and of signed URLs; "" means the SDK's version.
	// Set it for a server that supports only older versions, such as Azure Stack Hub ("2019-07-07")
	// or a sovereign cloud. It must be 2018-11-09 or later. Signing with a token credential needs
	// 2020-12-06 or later. If Client is set, APIVersion must be the version that Client uses.
	APIVersion string
}

// Format prints the fields of c that are set, without secrets. All verbs print the same text.
func (c Config) Format(s fmt.State, _ rune) {
	redact.Fields(s, c, "Key", "SASToken", "ConnectionString")
}

// Open opens a container without a request. If the container does not exist, the first operation
// fails with BucketNotFound. Open fails with InvalidArgument if c is invalid or no account is
// known.
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver opens a container like [Open], and returns its driver for [engine.New].
func NewDriver(ctx context.Context, c Config) (driver.Driver, error) {
	if c.Bucket == "" || strings.ContainsAny(c.Bucket, "/\\?#%") {
		return nil, argument.Invalid("Config.Bucket", "must be a container's name", "")
	}
	if c.CredentialsFor != nil {
		return openVended(ctx, c)
	}
	a, err := newAccount(c)
	if err != nil {
		return nil, err
	}
	return a.driver(c.Bucket), nil
}

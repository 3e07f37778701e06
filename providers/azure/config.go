// Package azure is the driver for Azure Blob Storage, which calls a bucket a
// container.
//
//	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Account: "acme"})
//	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Endpoint: "http://127.0.0.1:10000/devstoreaccount1"})
//
// The second bucket is in Azurite, the emulator, whose account needs no key.
//
// Accounts with a hierarchical namespace (Data Lake) do not list in the byte order of keys. Set
// [Config.HierarchicalNamespace], and list with [storage.WithAnyOrder]; without it, a listing that
// shows another order fails with Unsupported. A directory stays after its last blob, and is listed as a
// prefix. Blobs that are not block blobs can be read, listed, copied and removed. Removing a blob also
// removes its snapshots, which this package does not show.
//
// Tags are blob index tags, which need a permission of their own: "t" of a shared access signature, or the role
// Storage Blob Data Owner. Locks are version-level immutability policies and legal holds, with the permission "i" or
// that role. Only the management plane (portal, az, ARM) can make a container that has them. The mode Governance is
// an unlocked policy and Compliance a locked one. Azure lets everyone who may set an unlocked policy end it, and has
// no bypass. So SetRetention and a removal WithGovernanceBypass read the policy and then change it, in several
// requests: another client's change in between may be lost. A signed upload can set neither tags nor locks.
//
// [storage.As] returns a *container.Client of azblob. It is made from
// Config.Client, or has the same settings, and it retries as the SDK does.
//
// Importing the package registers the scheme azblob, as in azblob://photos, with
// the parameters account=, endpoint=, anonymous=, credentials=, api_version=, hierarchical_namespace= and
// encryption_scope=, which may be named kms_key= as with other providers. The address of an account, for
// [storage.OpenService], is the same without a container's name. Credentials come from the environment:
// AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN. If none
// is set, they come from the default credential chain of Azure's SDK.
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

// Config configures a container. Opening it makes no request. At most one of the
// credentials may be set. If none is set, the account of the emulator uses the
// emulator's key, and others use the environment. If that has none, the first
// request asks Azure's default credential chain. A metadata service is never
// asked if credentials are set, or if the endpoint is not Azure's.
type Config struct {
	Bucket  string // the container's name; empty for an account
	Account string // the storage account's name; "" means the name in the endpoint or the environment
	// Endpoint is the root of the blob service, such as
	// "https://acme.blob.core.usgovcloudapi.net". On a server that is not Azure, the path is
	// the account, as in "http://127.0.0.1:10000/devstoreaccount1". If Endpoint is empty, the
	// account is in Azure's public cloud.
	Endpoint string
	// HierarchicalNamespace says that the account has a hierarchical namespace. Such an account
	// lists in any order, and has no versions, tags, locks, soft delete and open uploads.
	HierarchicalNamespace bool

	// EncryptionScope is the encryption scope of every object that is written, whose
	// key may be one of a key vault; "" means the container's or the account's own.
	// [WithEncryptionScope] and [WithCustomerKey] replace it for one object. The
	// emulator ignores it.
	EncryptionScope string

	Key              string                 // the account's key, in base64
	SASToken         string                 // a shared access signature, with or without its "?"
	ConnectionString string                 // has the account, and its key or a shared access signature
	Credential       azcore.TokenCredential // credential of Microsoft Entra ID
	Anonymous        bool                   // requests carry no credentials, for a public container
	// Credentials is the name of credentials, for programs with several accounts. Only variables
	// with the name before them are read then: <NAME>_AZURE_STORAGE_CONNECTION_STRING, or
	// <NAME>_AZURE_STORAGE_ACCOUNT with <NAME>_AZURE_STORAGE_KEY or
	// <NAME>_AZURE_STORAGE_SAS_TOKEN, or those of an identity of Microsoft Entra ID.
	// These are <NAME>_AZURE_CLIENT_ID and <NAME>_AZURE_TENANT_ID with
	// <NAME>_AZURE_CLIENT_SECRET, <NAME>_AZURE_CLIENT_CERTIFICATE_PATH (and its _PASSWORD) or
	// <NAME>_AZURE_FEDERATED_TOKEN_FILE. Without the others, the client's id is that of a
	// managed identity. The name is in upper case there, with an underscore for each character
	// that is no letter or digit. If no variable has it, opening fails with Unauthenticated.
	Credentials string
	// CredentialsFor returns the shared access signature for a blob's name or, for a listing, its prefix. An Iceberg
	// REST catalog vends such signatures. It is called for the first request, half a minute before the signature
	// expires, and once if Azure refuses it. Requests at the same time share one call. If no signature is valid and
	// the call fails, the request fails with its error, with the code Unauthenticated unless it has PermissionDenied,
	// RateLimited, Unavailable or DeadlineExceeded. Azure copies only between blobs with the same signature; else the
	// bytes pass through the process. [storage.As] returns false. [NewService] does not take it.
	CredentialsFor func(ctx context.Context, key string) (PrefixCredentials, error)

	// Client is a client of the SDK. Its settings and credential are kept, but
	// each call turns its retries off. If Key or Credential is set too, it signs
	// URLs.
	Client     *service.Client
	HTTPClient *http.Client // nil means a client that is made for bulk transfers

	// APIVersion is the service version of requests and of signed URLs. A server that supports
	// only older versions needs it, such as Azure Stack Hub ("2019-07-07") or a sovereign
	// cloud. It is 2018-11-09 or later; "" means the SDK's version. Signing with a token
	// credential needs 2020-12-06. If Client is set, it must be the version that Client uses.
	APIVersion string
}

// Format shows the fields of c that are set, whatever the verb is, and no secrets.
func (c Config) Format(s fmt.State, _ rune) {
	redact.Fields(s, c, "Key", "SASToken", "ConnectionString")
}

// Open opens a container without a request. If the container does not exist, the
// first operation fails with BucketNotFound. If c is invalid or no account is
// known, Open fails with InvalidArgument.
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver opens a container as [Open] does, for [engine.New].
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

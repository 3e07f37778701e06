// Package azure keeps buckets in Azure Blob Storage, whose word for a bucket is
// container.
//
//	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Account: "acme"})
//	bucket, err := azure.Open(ctx, azure.Config{Bucket: "photos", Endpoint: "http://127.0.0.1:10000/devstoreaccount1"})
//
// The second is Azurite, the emulator, whose account needs no key to be named.
//
// Accounts with a hierarchical namespace (Data Lake) list as a tree and not in
// the order of the keys' bytes: they are refused, at opening where
// Config.HierarchicalNamespace says so, else by the first listing that shows it.
// Blobs that are not block blobs can be read, listed, copied and removed.
// Removing a blob removes its snapshots, which are seen nowhere else.
//
// storage.As gives a *container.Client of azblob for the container, made of the
// *service.Client in Config.Client if there is one; it retries as the SDK does.
//
// Importing it registers the scheme of its addresses: azblob://photos with the
// parameters account=, endpoint= and anonymous=. The address of an account, for
// storage.OpenService, is the same without a container's name. Credentials come
// from the environment: AZURE_STORAGE_CONNECTION_STRING, or
// AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, else
// the default credential chain of Azure's SDK.
package azure

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

const provider = "azure"

// Config says which container, in which account, and with which credentials.
// Opening makes no request. Of the credentials at most one is given; where none
// is, they are, in this order: the emulator's own for its account, the
// environment's, and Azure's default credential chain, which is asked when the
// first request needs it. With given credentials, or an endpoint that is not
// Azure's, no metadata service is ever asked.
type Config struct {
	Bucket  string // the container's name; empty for an account
	Account string // the storage account's name; "" is the endpoint's or the environment's
	// Endpoint is the blob service's root, with the account where it stands in
	// the path: "https://acme.blob.core.usgovcloudapi.net",
	// "http://127.0.0.1:10000/devstoreaccount1". "" is the account's in Azure's
	// public cloud.
	Endpoint string
	// HierarchicalNamespace says that the account has one, and so is refused
	// (Unsupported) rather than found out about later.
	HierarchicalNamespace bool

	Key              string                 // the account's, in base64
	SASToken         string                 // a shared access signature, with or without its "?"
	ConnectionString string                 // names the account and brings its key or a shared access signature
	Credential       azcore.TokenCredential // of Microsoft Entra ID
	Anonymous        bool                   // for a public container

	// Client is a client of the SDK, whose settings and credential are kept; it
	// is told for each call not to retry. A Key or Credential beside it is what
	// addresses are signed with.
	Client     *service.Client
	HTTPClient *http.Client // nil: one made for bulk transfers

	// APIVersion is the service version of requests and of signed URLs, for a
	// server that knows older ones only, such as Azure Stack Hub: "2019-07-07". It
	// is 2018-11-09 or later; "" is the SDK's. With a Client it is the one that the
	// Client is pinned to.
	APIVersion string
}

// Open opens a container without a request: one that is not there is
// BucketNotFound at the first operation. InvalidArgument where Config makes no
// sense, or where no account is known.
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return storage.New(d, opts...), nil
}

// NewDriver opens a container as Open does, for storage.New.
func NewDriver(_ context.Context, c Config) (storage.Driver, error) {
	if c.Bucket == "" || strings.ContainsAny(c.Bucket, "/\\?#%") {
		return nil, argument.Invalid("Config.Bucket", "must be a container's name", "")
	}
	a, err := newAccount(c)
	if err != nil {
		return nil, err
	}
	return a.driver(c.Bucket), nil
}

package azure

import (
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

var _ storage.Driver = (*driver)(nil)

// driver is one container of an account.
type driver struct {
	storage.UnimplementedDriver
	*account
	container *container.Client
	bucket    string

	// Tests lower these, so that a copy in blocks need not be of 256 MiB.
	copyLimit, copyBlock int64 // bytes; 0: the service's
}

// The service's limits, of versions from 2020 on:
// https://learn.microsoft.com/azure/storage/blobs/scalability-targets
const (
	maxPutSize   = 5000 << 20 // of one Put Blob; the SDK's 256 MiB are its own helpers'
	maxBlockSize = 4000 << 20
	maxBlocks    = 50_000
	partSize     = 8 << 20 // ours: 64 MiB go up in nine requests
	maxPage      = 5000
	maxBatch     = 256
)

func (d *driver) Describe() storage.Description {
	desc := storage.Description{
		Provider:       provider,
		Bucket:         d.bucket,
		CountsRequests: d.http != nil,
		Features: storage.UploadParts | storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.KeepVersions |
			storage.StorageClasses | storage.OrderedList |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | signFeatures(d.account),
		Location:      d.endpoint.String(),
		PublicBaseURL: d.endpoint.String() + "/" + url.PathEscape(d.bucket) + "/",
		SigningHint:   d.signingHint(),
		ASCIIMetadata: true,
		MaxPutSize:    maxPutSize,
		MaxPartSize:   maxBlockSize,
		PartSize:      partSize,
		MaxParts:      maxBlocks,
		MaxPage:       maxPage,
	}
	if d.canBatch() {
		desc.MaxBatch = maxBatch
	}
	if d.hierarchical {
		desc.Features &^= storage.OrderedList
	}
	return desc
}

// Locate is known to every container of the account, and of another that was
// opened with the same credential.
func (d *driver) Locate(key string) storage.ObjectRef {
	return storage.ObjectRef{Account: d.identity, Bucket: d.bucket, Key: key}
}

// Native is a *container.Client of the *service.Client that Config had, or of
// one with the same settings; it retries as the SDK does.
func (d *driver) Native() any {
	if d.given != nil {
		return d.container
	}
	service, err := d.client(policy.RetryOptions{})
	if err != nil {
		return nil
	}
	return service.NewContainerClient(d.bucket)
}

// Close gives idle connections back.
func (d *driver) Close() error { return d.close() }

func (d *driver) blob(key string) *blockblob.Client { return d.container.NewBlockBlobClient(key) }

// version is a blob's version, or the blob.
func (d *driver) version(key, version string) (*blob.Client, error) {
	if err := checkName(key, version); err != nil {
		return nil, err
	}
	b := d.container.NewBlobClient(key)
	if version == "" {
		return b, nil
	}
	return b.WithVersionID(version)
}

// checkName refuses what Azure would take for another name: a backslash for a
// slash.
func checkName(key, version string) error {
	if strings.ContainsRune(key, '\\') {
		return invalid.Argument("key", "must not have a backslash, which Azure takes for a slash", "")
	}
	if version == "" {
		return nil
	}
	return checkVersion(version)
}

// checkVersion refuses what is no version of Azure's, which is a time: a server
// that knows no versions would take the object itself for it.
func checkVersion(version string) error {
	if _, err := time.Parse(time.RFC3339Nano, version); err != nil {
		return invalid.Argument("version", "must be one that Azure gave", "")
	}
	return nil
}

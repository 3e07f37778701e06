package azure

import (
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

var _ storage.Driver = (*driver)(nil)

// A driver is one container of an account.
type driver struct {
	storage.UnimplementedDriver
	*account
	container *container.Client
	bucket    string
	replaces  atomic.Bool // checkReplaces has found that blobs can be replaced

	// Tests lower these to copy small objects in blocks.
	copyLimit, copyBlock int64 // bytes; 0 means the service's limits
}

// The service's limits.
// https://learn.microsoft.com/azure/storage/blobs/scalability-targets
const (
	maxPutSize   = 5000 << 20 // of one Put Blob; the SDK's 256 MiB are a limit of its helpers
	maxBlockSize = 4000 << 20

	largeBlocksVersion = "2019-12-12" // is the first service version with these limits
	oldPutSize         = 256 << 20
	oldBlockSize       = 100 << 20

	maxBlocks = 50_000
	partSize  = 8 << 20 // this package's choice: 64 MiB take nine requests
	maxPage   = 5000

	// maxEmptyPages is high because a hierarchical listing and one that crosses a partition may
	// have many pages without an entry, each with a marker:
	// https://learn.microsoft.com/rest/api/storageservices/list-blobs
	maxEmptyPages = 1000
	maxBatch      = 256
)

// Describe returns the features and limits.
func (d *driver) Describe() storage.Description {
	desc := storage.Description{
		Provider:       provider,
		Bucket:         d.bucket,
		CountsRequests: d.http != nil,
		Features: storage.MultipartUploads | storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.Versioning |
			storage.StorageClasses | storage.OrderedListing |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes | storage.ObjectTags | storage.ObjectLock |
			storage.Restoring | storage.OpenUploads | storage.ListedUploads | signFeatures(d.account),
		Location:      d.endpoint.String(),
		PublicBaseURL: d.endpoint.String() + "/" + url.PathEscape(d.bucket) + "/",
		SigningHint:   d.signingHint(),
		CheckNative:   d.checkNative,
		ASCIIMetadata: true,
		MaxPutSize:    maxPutSize,
		MaxPartSize:   maxBlockSize,
		PartSize:      partSize,
		MaxParts:      maxBlocks,
		MaxPage:       maxPage,
		MaxEmptyPages: maxEmptyPages,
	}
	if d.canBatch() {
		desc.MaxBatch = maxBatch
	}
	if d.hierarchical {
		desc.Features &^= storage.OrderedListing | storage.ObjectTags | storage.ObjectLock
		desc.Features &^= storage.OpenUploads | storage.SignedParts | storage.ListedUploads // keys with empty segments
	}
	if d.isBefore(largeBlocksVersion) {
		desc.MaxPutSize, desc.MaxPartSize = oldPutSize, oldBlockSize
	}
	if d.isBefore(tagsVersion) {
		desc.Features &^= storage.ObjectTags | storage.Versioning // see versionsVersion
	}
	if d.isBefore(priorityVersion) {
		desc.Features &^= storage.Restoring
	}
	if d.isBefore(lockVersion) {
		desc.Features &^= storage.ObjectLock
	}
	return desc
}

// Locate returns a reference that other containers of the account accept, and
// those of an account that was opened with the same credential.
func (d *driver) Locate(key string) storage.ObjectRef {
	return storage.ObjectRef{Account: d.identity, Bucket: d.bucket, Key: key}
}

// Native returns a *container.Client, made from Config.Client or with the same
// settings. It retries as the SDK does.
func (d *driver) Native() any {
	if d.sdkClient != nil {
		return d.container
	}
	service, err := d.client(policy.RetryOptions{})
	if err != nil {
		return nil
	}
	return service.NewContainerClient(d.bucket)
}

// Close closes idle connections.
func (d *driver) Close() error { return d.close() }

func (d *driver) blob(key string) *blockblob.Client { return d.container.NewBlockBlobClient(key) }

// version returns the client of a blob, or of one version of it.
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

// checkName returns an error if Azure would read the key as another one: it
// treats a backslash as a slash.
func checkName(key, version string) error {
	if strings.ContainsRune(key, '\\') {
		return argument.Invalid("key", "must not have a backslash, which Azure treats as a slash", "")
	}
	if version == "" {
		return nil
	}
	return checkVersion(version)
}

// checkVersion returns an error if version is not a time, as Azure's versions
// are. A server without versions would use the object itself.
func checkVersion(version string) error {
	if _, err := time.Parse(time.RFC3339Nano, version); err != nil {
		return argument.Invalid("version", "must be one that Azure returned", "")
	}
	return nil
}

package azure

import (
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
)

var _ driver.Driver = (*objectDriver)(nil)

type objectDriver struct {
	driver.UnimplementedDriver
	account   *account
	container *blobContainer
	lister    lister
	blocks    blocks
	copier    copier
	uploads   componentUploads
	remover   remover
}

// driver returns the driver of a container. The parts of the driver share the container, and some of
// them have pointers to others.
func (a *account) driver(bucket string) *objectDriver {
	c := a.container(bucket)
	d := &objectDriver{account: a, container: c, lister: lister{container: c}}
	d.blocks = blocks{container: c}
	d.remover = remover{container: c}
	d.copier = copier{container: c, blocks: &d.blocks}
	d.uploads = componentUploads{objects: d, container: c, lister: &d.lister, copier: &d.copier}
	return d
}

// The service's limits.
// https://learn.microsoft.com/azure/storage/blobs/scalability-targets
const (
	maxPutSize   = 5000 << 20 // bytes of one Put Blob; only the SDK's helpers are limited to 256 MiB
	maxBlockSize = 4000 << 20

	largeBlocksVersion = "2019-12-12" // the first service version with these limits
	oldPutSize         = 256 << 20
	oldBlockSize       = 100 << 20

	maxBlocks = 50_000
	partSize  = 8 << 20 // this package's choice: 64 MiB need nine requests
	maxPage   = 5000

	// maxEmptyPages is high because a listing may have many pages without an entry, each with a
	// marker. That is so in a hierarchical listing, and if a listing crosses a partition:
	// https://learn.microsoft.com/rest/api/storageservices/list-blobs
	maxEmptyPages = 1000
	maxBatch      = 256
)

// Describe returns the features and limits of the container.
func (d *objectDriver) Describe() driver.Description {
	desc := driver.Description{
		Provider:       provider,
		Bucket:         d.container.name,
		CountsRequests: d.account.http != nil,
		Features: storage.MultipartUploads | storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.ServerAppend | storage.Versioning |
			storage.StorageClasses | storage.OrderedListing |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes | storage.ObjectTags | storage.ObjectLock |
			storage.Restoring | storage.SoftDelete | storage.OpenUploads | storage.ListedUploads | signFeatures(d.account),
		Location:      d.account.root,
		PublicBaseURL: d.account.root + "/" + url.PathEscape(d.container.name) + "/",
		SigningHint:   d.account.signingHint(),
		VendingHint:   d.account.signingHint(),
		CheckNative:   d.account.checkNative,
		ASCIIMetadata: true,
		MaxPutSize:    maxPutSize,
		MaxPartSize:   maxBlockSize,
		PartSize:      partSize,
		MaxParts:      maxBlocks,
		MaxPage:       maxPage,
		MaxEmptyPages: maxEmptyPages,
	}

	// Some features depend on the credential.
	if d.account.canVend() {
		desc.Features |= storage.Vending
	}
	if d.account.canBatch() {
		desc.MaxBatch = maxBatch
	}

	// A hierarchical account has fewer features.
	if d.account.isHierarchical {
		desc.Features &^= storage.OrderedListing | storage.ObjectTags | storage.ObjectLock
		// The parts of an open upload have keys with an empty segment. A hierarchical account does
		// not support such keys.
		desc.Features &^= storage.OpenUploads | storage.SignedParts | storage.ListedUploads
		// A hierarchical account restores a soft-deleted blob only by its deletion id.
		desc.Features &^= storage.SoftDelete
		// https://learn.microsoft.com/azure/storage/blobs/storage-feature-support-in-storage-accounts
		desc.Features &^= storage.Versioning | storage.KeysBesideFolders
	}

	// Older service versions have smaller limits and fewer features.
	if d.account.isBefore(largeBlocksVersion) {
		desc.MaxPutSize = oldPutSize
		desc.MaxPartSize = oldBlockSize
	}
	if d.account.isBefore(tagsVersion) {
		// About versions and soft delete, see versionsVersion.
		desc.Features &^= storage.ObjectTags | storage.Versioning | storage.SoftDelete
	}
	if d.account.isBefore(priorityVersion) {
		desc.Features &^= storage.Restoring
	}
	if d.account.isBefore(lockVersion) {
		desc.Features &^= storage.ObjectLock
	}
	return desc
}

// Locate returns a reference to an object as the source of a copy. The service can copy from it to
// other containers of the account, even if the account was opened a second time with the same
// credential.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	return driver.ObjectRef{Account: d.account.identity, Bucket: d.container.name, Key: key}
}

// Native returns a *container.Client, which is made from Config.Client if that is set, and otherwise
// with the settings of d. It retries as the SDK does.
func (d *objectDriver) Native() any {
	if d.account.sdkClient != nil {
		return d.container.client
	}
	service, err := d.account.client(policy.RetryOptions{})
	if err != nil {
		return nil
	}
	return service.NewContainerClient(d.container.name)
}

// Close closes idle connections.
func (d *objectDriver) Close() error { return d.account.close() }

// checkName returns an error if the key has a backslash, which Azure would treat as a slash, or if
// version has the wrong form.
func checkName(key, version string) error {
	if strings.ContainsRune(key, '\\') {
		return argument.Invalid("key", "must not have a backslash, which Azure treats as a slash", "")
	}
	if version == "" {
		return nil
	}
	return checkVersion(version)
}

// checkVersion returns an error if version is not a time, as all versions of Azure are. A server
// without versions would ignore the version and use the current blob.
func checkVersion(version string) error {
	if _, err := time.Parse(time.RFC3339Nano, version); err != nil {
		return argument.Invalid("version", "must be one that Azure returned", "")
	}
	return nil
}

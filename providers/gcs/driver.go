package gcs

import (
	"context"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

var _ driver.Driver = (*objectDriver)(nil)

// An objectDriver is the driver of one bucket.
type objectDriver struct {
	driver.UnimplementedDriver
	account    *account
	bucket     *bucket
	reader     reader
	composites composites
	urls       urlSigner
}

// newDriver returns the driver of a bucket of the account. Its parts share the bucket, and some call methods
// of the driver.
func newDriver(a *account, name string) *objectDriver {
	b := &bucket{a, name}
	d := &objectDriver{account: a, bucket: b, urls: urlSigner{b}}

	d.reader.objects = d
	d.reader.bucket = b

	d.composites.objects = d
	d.composites.bucket = b
	return d
}

const (
	maxObject = 5 << 40   // bytes
	partSize  = 8 << 20   // bytes; a session sends the next chunk only after the response
	chunkUnit = 256 << 10 // bytes; the size of a chunk must be a multiple of it
	maxPage   = 1000

	// maxEmptyPages is high because a listing may have many pages without an entry. If all objects
	// that the server has looked at are deleted, the page has only a token:
	// https://cloud.google.com/storage/docs/json_api/v1/objects/list
	maxEmptyPages = 1000

	// maxComponents is a limit of this package on the number of parts. Google composes at most 32
	// objects by one request, so 10,000 parts are composed in three levels.
	maxComponents = 10_000
)

// features are the features of every configuration. Describe adds others.
const features = storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
	storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.ServerAppend | storage.Versioning |
	storage.ObjectACLs | storage.StorageClasses | storage.OrderedListing |
	storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
	storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
	storage.ObjectTags | storage.ObjectLock | storage.Restoring |
	storage.OpenUploads | storage.ListedUploads | storage.MultipartUploads

// Describe returns the features and limits.
func (d *objectDriver) Describe() driver.Description {
	desc := driver.Description{
		Provider:      provider,
		Bucket:        d.bucket.name,
		Features:      features | signFeatures(d.account),
		Location:      d.account.root(),
		TagsByHead:    true,
		CopiesTags:    true,
		CheckNative:   d.account.checkNative,
		PublicBaseURL: d.account.root() + "/" + d.bucket.name + "/",
		SigningHint:   signingHint,
		VendingHint:   vendingHint,
		MaxSize:       maxObject,
		MaxPutSize:    maxObject,
		MaxPage:       maxPage,
		MaxEmptyPages: maxEmptyPages,

		CountsRequests: true,
	}
	desc.OpenUploadLimits = &storage.PartLimits{MinSize: 1, MaxSize: maxObject, MaxParts: maxComponents}
	if d.account.isGoogle() {
		desc.Features |= storage.ServerMove | storage.SoftDelete
	}
	if d.account.canVend() {
		desc.Features |= storage.Vending
	}
	// Composed parts may arrive in any order, but those of a session only one after the other.
	if d.account.composite {
		desc.MinPartSize = chunkUnit
		desc.MaxPartSize = maxObject
		desc.MaxParts = maxComponents
	} else {
		desc.Features |= driver.SequentialParts
		desc.MinPartSize = chunkUnit
		desc.PartUnit = chunkUnit
		desc.PartSize = partSize
	}
	return desc
}

// Locate returns a reference to an object as the source of a copy. Google can copy from it to other
// buckets of the account, even if the account was opened a second time with the same credential.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	return driver.ObjectRef{Account: d.account.identity, Bucket: d.bucket.name, Key: key}
}

// Native returns a new *storage.Client of the SDK with the same settings, which retries as the SDK
// does.
func (d *objectDriver) Native() any {
	client, err := d.account.newClient(context.Background())
	if err != nil {
		return nil
	}
	return client
}

// Close closes idle connections.
func (d *objectDriver) Close() error { return d.account.close() }

// A bucket makes requests about a bucket and its objects, and determines why a request failed.
type bucket struct {
	account *account
	name    string
}

func (b *bucket) handle() *gcs.BucketHandle { return b.account.handleOf(b.name) }

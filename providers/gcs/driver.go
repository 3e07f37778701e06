package gcs

import (
	"context"
	"sync/atomic"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

var _ storage.Driver = (*driver)(nil)

// A driver is one bucket of an account.
type driver struct {
	storage.UnimplementedDriver
	*account
	bucket string
	layout atomic.Int32 // unknownLayout and so on
	cached atomic.Bool  // a response may have come from a cache
}

const (
	maxObject = 5 << 40   // bytes
	partSize  = 8 << 20   // bytes: each chunk waits for its response
	chunkUnit = 256 << 10 // bytes: chunks of a resumable upload are a multiple of it
	maxPage   = 1000

	// maxEmptyPages is high because a page without an entry has a token if what it has looked at is
	// deleted: https://cloud.google.com/storage/docs/json_api/v1/objects/list
	maxEmptyPages = 1000

	// maxComponents is a limit of this package: each level of 32 adds a request
	// that takes as long as the others.
	maxComponents = 10_000
)

// features are those that every configuration has.
const features = storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
	storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.Versioning |
	storage.ObjectACLs | storage.StorageClasses | storage.OrderedListing |
	storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
	storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
	storage.ObjectTags | storage.ObjectLock | storage.Restoring

// Describe returns the features and limits.
func (d *driver) Describe() storage.Description {
	desc := storage.Description{
		Provider:      provider,
		Bucket:        d.bucket,
		Features:      features | signFeatures(d.account),
		Location:      d.root(),
		TagsByHead:    d.http != nil,
		CopiesTags:    true,
		CheckNative:   d.checkNative,
		PublicBaseURL: d.root() + "/" + d.bucket + "/",
		SigningHint:   signingHint,
		MaxSize:       maxObject,
		MaxPutSize:    maxObject,
		MaxPage:       maxPage,
		MaxEmptyPages: maxEmptyPages,

		CountsRequests: d.http != nil,
	}
	if d.http != nil {
		desc.Features |= storage.OpenUploads | storage.ListedUploads
		desc.OpenUploadLimits = &storage.PartLimits{MinSize: 1, MaxSize: maxObject, MaxParts: maxComponents}
	}
	switch {
	case d.http == nil:
		desc.Features |= storage.StreamingPut
	case d.composite:
		desc.Features |= storage.MultipartUploads
		desc.MinPartSize, desc.MaxPartSize, desc.MaxParts = chunkUnit, maxObject, maxComponents
	default:
		desc.Features |= storage.MultipartUploads | storage.SequentialParts
		desc.MinPartSize, desc.PartUnit, desc.PartSize = chunkUnit, chunkUnit, partSize
	}
	return desc
}

// Locate returns a reference that other buckets of the account accept, and those
// of an account that was opened with the same credential.
func (d *driver) Locate(key string) storage.ObjectRef {
	return storage.ObjectRef{Account: d.identity, Bucket: d.bucket, Key: key}
}

// Native returns Config.Client, or a new *storage.Client of the SDK with the same
// settings. It retries as the SDK does.
func (d *driver) Native() any {
	if d.sdkClient != nil {
		return d.sdkClient
	}
	client, err := d.newClient(context.Background())
	if err != nil {
		return nil
	}
	return client
}

// Close closes idle connections.
func (d *driver) Close() error { return d.close() }

// handle returns the SDK's handle of the bucket.
func (d *driver) handle() *gcs.BucketHandle { return d.handleOf(d.bucket) }

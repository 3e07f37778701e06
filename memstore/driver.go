package memstore

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ driver.Driver = (*objectDriver)(nil)

const (
	maxParts = 10_000
	maxBatch = 1_000
	maxPage  = 256   // a page soon becomes garbage, and the memory of small pages is used again
	maxInfos = 1_000 // buckets in a page
)

const features = driver.StreamingPut | storage.MultipartUploads |
	storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
	storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose |
	storage.Versioning | storage.ObjectACLs | storage.StorageClasses | storage.OrderedListing |
	storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
	storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes | storage.ObjectTags | storage.ObjectLock |
	storage.Restoring | driver.LateMetadata | storage.OpenUploads | storage.ListedUploads |
	storage.ServerMove | storage.SoftDelete | storage.ServerAppend | signedurl.Features

// An objectDriver reaches one bucket of an account by name, as the driver of a cloud does: the
// bucket may be removed, and made again, while the driver is open.
type objectDriver struct {
	driver.UnimplementedDriver
	account  *account
	bucket   string
	anyOrder bool                   // Config.AnyOrder
	found    atomic.Pointer[bucket] // the bucket that was found last
}

// Describe reports whether the bucket keeps versions now. EnableVersions, EnableSoftDelete
// and EnableObjectLock of a bucket that is not there does nothing.
func (d *objectDriver) Describe() driver.Description {
	desc := driver.Description{
		Provider:         provider,
		Bucket:           d.bucket,
		Location:         d.account.location, // it ends with this process
		Places:           func() []driver.Place { return []driver.Place{{Account: d.account, Bucket: d.bucket, Direct: true}} },
		Features:         features,
		Versioned:        d.versioned(),
		EnableVersions:   func() { d.configure(func(info *storage.BucketInfo) { info.Versioning = true }) },
		EnableObjectLock: func() { d.configure(func(info *storage.BucketInfo) { info.Versioning, info.ObjectLock = true, true }) },
		EnableSoftDelete: func(keep time.Duration) {
			d.configure(func(info *storage.BucketInfo) { info.SoftDelete = keep })
		},
		Local:            true,
		TaggedRevisions:  true,
		NeedsSigningBase: true,
		Origin:           d,
		MinPartSize:      1,
		MaxParts:         maxParts,
		MaxBatch:         maxBatch,
		MaxPage:          maxPage,
	}
	if d.anyOrder {
		desc.Features &^= storage.OrderedListing
		desc.FolderPrefixes, desc.SlashDelimiter = true, true
	}
	return desc
}

func (d *objectDriver) versioned() bool {
	b, err := d.account.find(d.bucket)
	if err != nil {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.info.Versioning
}

func (d *objectDriver) configure(set func(*storage.BucketInfo)) {
	b, err := d.account.find(d.bucket)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	set(&b.info)
}

// Locate returns a place that every bucket of the account can copy from.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	return driver.ObjectRef{Account: d.account, Bucket: d.bucket, Key: key}
}

// open returns the bucket for an operation. If ctx is done, it fails with Canceled or
// DeadlineExceeded. If there is no bucket, it fails with BucketNotFound.
func (d *objectDriver) open(ctx context.Context) (*bucket, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	if b := d.found.Load(); b != nil && !b.gone.Load() {
		return b, nil
	}
	b, err := d.account.find(d.bucket)
	d.found.Store(b)
	return b, err
}

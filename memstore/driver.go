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
	maxPage  = 256   // small, so that the memory of pages is soon reused
	maxInfos = 1_000 // most buckets in one page
)

const features = driver.StreamingPut | storage.MultipartUploads |
	storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
	storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose |
	storage.Versioning | storage.ObjectACLs | storage.StorageClasses | storage.OrderedListing |
	storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
	storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes | storage.ObjectTags | storage.ObjectLock |
	storage.Restoring | driver.LateMetadata | storage.OpenUploads | storage.ListedUploads |
	storage.ServerMove | storage.SoftDelete | storage.ServerAppend | storage.Vending | signedurl.Features

// An objectDriver reaches one bucket of an account by its name, like a driver of a cloud. While the
// driver is open, the bucket may be removed and created again.
type objectDriver struct {
	driver.UnimplementedDriver
	account  *account
	bucket   string
	anyOrder bool                   // Config.AnyOrder
	cached   atomic.Pointer[bucket] // bucket that the last call found, to save a lookup
}

// Describe returns what the driver can do, and whether the bucket keeps versions now. If the bucket
// does not exist, EnableVersions, EnableSoftDelete and EnableObjectLock of the result do nothing.
func (d *objectDriver) Describe() driver.Description {
	desc := driver.Description{
		Provider: provider,
		Bucket:   d.bucket,
		Location: d.account.location, // differs in each process
		Places: func() []driver.Place {
			return []driver.Place{{Account: d.account, Bucket: d.bucket, Direct: true}}
		},
		Features:  features,
		Versioned: d.isVersioned(),
		EnableVersions: func() {
			d.configure(func(info *storage.BucketInfo) {
				info.Versioning = true
			})
		},
		EnableObjectLock: func() {
			d.configure(func(info *storage.BucketInfo) {
				info.Versioning = true
				info.ObjectLock = true
			})
		},
		EnableSoftDelete: func(retention time.Duration) {
			d.configure(func(info *storage.BucketInfo) {
				info.SoftDelete = retention
			})
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

	// A driver without order imitates S3's directory buckets, which only have folders as prefixes.
	if d.anyOrder {
		desc.Features &^= storage.OrderedListing
		desc.FolderPrefixes = true
		desc.SlashDelimiter = true
	}
	return desc
}

// isVersioned reports whether the bucket exists and keeps versions.
func (d *objectDriver) isVersioned() bool {
	b, err := d.account.find(d.bucket)
	if err != nil {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.info.Versioning
}

// configure calls set with the settings of the bucket, which set may change. If the bucket does not
// exist, configure does nothing, because the next call of the driver reports that.
func (d *objectDriver) configure(set func(*storage.BucketInfo)) {
	b, err := d.account.find(d.bucket)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	set(&b.info)
}

// Locate returns a reference to an object, by which every bucket of the account can copy the
// object.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	return driver.ObjectRef{Account: d.account, Bucket: d.bucket, Key: key}
}

// open returns the bucket of the driver. It fails if ctx has ended, or with BucketNotFound if there is
// no such bucket. d.cached saves looking up the bucket by its name in each call.
func (d *objectDriver) open(ctx context.Context) (*bucket, error) {
	if err := contextErr(ctx); err != nil {
		return nil, err
	}
	if b := d.cached.Load(); b != nil && !b.isRemoved.Load() {
		return b, nil
	}
	b, err := d.account.find(d.bucket)
	d.cached.Store(b)
	return b, err
}

// openToWrite returns the bucket, locked for writing. The caller must call b.mu.Unlock.
func (d *objectDriver) openToWrite(ctx context.Context) (*bucket, error) {
	b, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.lock(); err != nil {
		return nil, err
	}
	return b, nil
}

// openToRead returns the bucket, locked for reading. The caller must call b.mu.RUnlock.
func (d *objectDriver) openToRead(ctx context.Context) (*bucket, error) {
	b, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.rlock(); err != nil {
		return nil, err
	}
	return b, nil
}

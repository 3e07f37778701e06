package local

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
)

var _ driver.Driver = (*objectDriver)(nil)

// An objectDriver has no state except open directories. It opens them on first use, so that a
// bucket can be named before it exists. If the bucket's path later leads to another directory, the
// driver opens that directory. This happens if the bucket was deleted and created again, or
// restored from a backup.
type objectDriver struct {
	driver.UnimplementedDriver
	parent string // directory that contains the bucket; absolute, without symbolic links
	bucket bucketstore.Config

	mu   sync.Mutex
	live *bucketstore.Store // nil before the first use
	// isGone is true if the driver had the bucket open, but its path no longer led to the open
	// directory.
	isGone bool
	closed bool
}

// newDriver returns a driver for the bucket in the directory root, which no service manages.
func newDriver(root string, c Config) (*objectDriver, error) {
	path, realPath, err := absolutePath(root, c)
	if err != nil {
		return nil, err
	}
	keys, err := signedurl.NewKeys(c.SigningKeys)
	if err != nil {
		return nil, err
	}

	// bucketDriver is for a bucket that a service manages.
	d := bucketDriver(filepath.Dir(realPath), filepath.Base(realPath), c)
	d.bucket.Path = path
	d.bucket.Managed = false
	d.bucket.ConfigKeys = keys
	return d, nil
}

// bucketDriver returns a driver for the bucket in the directory parent, which a service manages.
func bucketDriver(parent, bucket string, c Config) *objectDriver {
	d := &objectDriver{
		parent: parent,
		bucket: bucketstore.Config{
			Name:     bucket,
			Path:     filepath.Join(parent, bucket),
			Managed:  true,
			Sync:     !c.NoSync,
			FileMode: uint32(c.FileMode),
			Visible:  c.Sidecars,
		},
	}
	d.bucket.Clock.Now = c.Now
	if c.Now == nil {
		d.bucket.Clock.Now = time.Now
	}
	return d
}

// Describe returns the features and limits that are the same on every file system. Only the feature
// Versioning depends on the settings of the bucket.
func (d *objectDriver) Describe() driver.Description {
	d.loadSettings()
	return driver.Description{
		Provider: bucketdir.Provider,
		Bucket:   d.bucket.Name,
		Location: d.parent,
		Places:   func() []driver.Place { return placesOf(d) },
		Features: driver.StreamingPut | storage.MultipartUploads |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.Versioning |
			storage.ObjectACLs | storage.StorageClasses | storage.OrderedListing |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
			storage.ObjectTags | storage.ObjectLock | storage.Restoring | driver.LateMetadata |
			storage.OpenUploads | storage.ListedUploads | storage.ServerMove |
			storage.SoftDelete | storage.ServerAppend | storage.Vending | signedurl.Features,
		Versioned: d.bucket.Versions.Load(),
		EnableVersions: func() {
			d.bucket.Versions.Store(true)
		},
		EnableObjectLock: func() {
			enableObjectLock(d)
		},
		EnableSoftDelete: func(retention time.Duration) {
			d.bucket.SoftDeleteRetention.Store(int64(retention))
		},
		Local:            true,
		TaggedRevisions:  true,
		NeedsSigningBase: true,
		Origin:           d,
		MinPartSize:      1,
		MaxParts:         bucketstore.MaxParts,
		MaxPage:          bucketstore.MaxPage,
	}
}

// loadSettings reads from the bucket's settings whether it keeps versions. It ignores errors, such as
// that of a bucket that does not exist yet, because each write reads the settings again.
func (d *objectDriver) loadSettings() {
	store, err := d.acquire(context.Background())
	if err != nil {
		return
	}
	defer d.release(store)

	settings, err := store.Settings.Read()
	if err != nil {
		return
	}
	store.Settings.ApplyVersioning(&settings)
}

// Native returns the *os.Root of the bucket's directory, or nil if the directory is not open.
func (d *objectDriver) Native() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return nil
	}
	return d.live.Root
}

// acquire waits for a slot of bucketdir.Calls and opens the bucket's directories for one call,
// which must end with release. For a second bucket, the call must use acquireNow, because it has a
// slot already.
func (d *objectDriver) acquire(ctx context.Context) (*bucketstore.Store, error) {
	if err := bucketdir.Calls.Acquire(ctx); err != nil {
		return nil, err
	}
	store, err := d.acquireNow(ctx)
	if err != nil {
		bucketdir.Calls.Release()
		return nil, err
	}
	return store, nil
}

// acquireForVersion does what acquire does, after it has checked the form of version.
func (d *objectDriver) acquireForVersion(ctx context.Context, version string) (*bucketstore.Store, error) {
	if err := objectfile.CheckVersion(version); err != nil {
		return nil, err
	}
	return d.acquire(ctx)
}

// release ends the call for which acquire opened the directories.
func (d *objectDriver) release(s *bucketstore.Store) {
	d.releaseNow(s)
	bucketdir.Calls.Release()
}

// acquireNow opens the bucket's directories for one call without waiting for a slot, a permission to
// open files, which the caller has already or does not need. The call must end with releaseNow.
func (d *objectDriver) acquireNow(ctx context.Context) (*bucketstore.Store, error) {
	return bucketdir.RetryFor(ctx, d.tryAcquire)
}

// tryAcquire makes one attempt of acquireNow. It fails with ErrRetry, and forgets the open
// directories, if the bucket's path no longer leads to them.
func (d *objectDriver) tryAcquire() (*bucketstore.Store, error) {
	store, isNew, err := d.openStore()
	if err != nil {
		return nil, err
	}
	if isNew {
		return store, nil
	}

	// The directories were opened earlier, so check that they are still at the bucket's path.
	err = store.Tree.CheckPath()
	if err == nil {
		return store, nil
	}
	if err == bucketdir.ErrReplaced || storage.CodeOf(err) == storage.BucketNotFound {
		d.forget(store)
		return nil, bucketdir.ErrRetry
	}
	d.releaseNow(store)
	return nil, err
}

// openOnce opens a bucket with a driver that serves only one call. closeBucket, which may be called
// several times, also closes the driver.
func openOnce(
	ctx context.Context, d *objectDriver,
) (bucket *bucketstore.Store, closeBucket func(), err error) {
	bucket, err = d.acquireNow(ctx)
	if err != nil {
		_ = d.Close()
		return nil, nil, err
	}
	closeBucket = sync.OnceFunc(func() {
		d.releaseNow(bucket)
		_ = d.Close()
	})
	return bucket, closeBucket, nil
}

// openStore returns the open directories of the bucket, or opens them, which makes isNew true. The
// caller becomes one more user of the directories.
func (d *objectDriver) openStore() (store *bucketstore.Store, isNew bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, false, bucketdir.WrapError(os.ErrClosed)
	}
	if d.live != nil {
		d.live.Users++
		return d.live, false, nil
	}

	store, err = bucketstore.Open(&d.bucket)
	if err != nil {
		if d.isGone && storage.CodeOf(err) == storage.BucketNotFound {
			// The directory existed earlier, so the hint is another one.
			err = bucketdir.GoneError(d.bucket.Managed, err)
		}
		return nil, false, err
	}
	d.live = store
	store.Users++
	return store, true, nil
}

// releaseNow ends the use of directories that acquireNow has returned. The last user closes them if
// the driver was closed or has opened other ones.
func (d *objectDriver) releaseNow(store *bucketstore.Store) {
	d.mu.Lock()
	store.Users--
	isNeeded := !d.closed && d.live == store
	mustClose := store.Users == 0 && !isNeeded
	d.mu.Unlock()

	if mustClose {
		store.Close()
	}
}

// forget ends the use of directories as releaseNow does, and makes the next call of the driver open
// them again.
func (d *objectDriver) forget(store *bucketstore.Store) {
	d.mu.Lock()
	if d.live == store {
		d.live = nil
		d.isGone = true
	}
	d.mu.Unlock()
	d.releaseNow(store)
}

// Close closes the directories as soon as no call uses them. Bodies that Get has returned can still
// be read.
func (d *objectDriver) Close() error {
	d.mu.Lock()
	store := d.live
	isIdle := !d.closed && store != nil && store.Users == 0
	d.closed = true
	d.mu.Unlock()

	if isIdle {
		store.Close()
	}
	return nil
}

// An account is the directory that contains the buckets. Between buckets of the same account,
// objects are copied as files.
type account struct{ dir string }

// Locate returns the reference by which another driver can name an object of this bucket.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	parent, bucket := resolvedPath(d)
	return driver.ObjectRef{
		Account:   account{parent},
		Bucket:    bucket,
		Key:       key,
		Directory: filepath.Join(parent, bucket),
	}
}

// placesOf returns the directory to which the bucket's path leads now, as a [driver.Place].
func placesOf(d *objectDriver) []driver.Place {
	ref := d.Locate("")
	return []driver.Place{{Account: ref.Account, Bucket: ref.Bucket, Directory: ref.Directory, Direct: true}}
}

// resolvedPath returns the parent directory and the name of the directory to which the bucket's path
// leads now, or those from the time of opening if it leads to none.
func resolvedPath(d *objectDriver) (parent, bucket string) {
	path := d.bucket.Path
	if d.bucket.Managed {
		// Keep the bucket's own name, even if it is a symbolic link.
		parent, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return d.parent, d.bucket.Name
		}
		return parent, d.bucket.Name
	}

	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return d.parent, d.bucket.Name
	}
	return filepath.Dir(path), filepath.Base(path)
}

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

// newDriver returns a driver of the bucket in the directory root, which no service manages.
func newDriver(root string, c Config) (*objectDriver, error) {
	path, realPath, err := absolutePath(root, c)
	if err != nil {
		return nil, err
	}
	d := bucketDriver(filepath.Dir(realPath), filepath.Base(realPath), c)
	d.bucket.Path = path
	d.bucket.Managed = false
	d.bucket.ConfigKeys, err = signedurl.NewKeys(c.SigningKeys)
	return d, err
}

// bucketDriver returns a driver of a bucket that a service manages.
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
	if c.Now != nil {
		d.bucket.Clock.Now = c.Now
	} else {
		d.bucket.Clock.Now = time.Now
	}
	return d
}

// Describe returns the features and limits that are the same on every file system. Only the feature
// Versioning depends on the settings of the bucket.
func (d *objectDriver) Describe() driver.Description {
	d.learnSettings()
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
			d.bucket.Keeping.Store(int64(retention))
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

// learnSettings reads from the bucket's settings whether it keeps versions. If they cannot be read,
// for example because the bucket does not exist yet, it does nothing. Each write reads them again.
func (d *objectDriver) learnSettings() {
	store, err := d.acquire(context.Background())
	if err != nil {
		return
	}
	defer d.release(store)
	settings, err := store.Settings.Read()
	if err != nil {
		return
	}
	store.Settings.Learn(&settings)
}

// Native returns the *os.Root of the bucket's directory. If the directory is not open, it returns
// nil.
func (d *objectDriver) Native() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return nil
	}
	return d.live.Root
}

// acquire waits for a turn (see package bucketdir) and opens the bucket's directories for one call.
// They stay open until release, even if Close is called meanwhile. A call that has acquired one
// bucket must use acquireNow for a second one, because it already has a turn.
func (d *objectDriver) acquire(ctx context.Context) (*bucketstore.Store, error) {
	if err := bucketdir.Calls.Take(ctx); err != nil {
		return nil, err
	}
	store, err := d.acquireNow(ctx)
	if err != nil {
		bucketdir.Calls.End()
		return nil, err
	}
	return store, nil
}

// acquireForVersion checks version, which may be "", and then calls acquire.
func (d *objectDriver) acquireForVersion(ctx context.Context, version string) (*bucketstore.Store, error) {
	if err := objectfile.CheckVersion(version); err != nil {
		return nil, err
	}
	return d.acquire(ctx)
}

// release ends the call for which acquire opened the directories.
func (d *objectDriver) release(s *bucketstore.Store) {
	d.releaseNow(s)
	bucketdir.Calls.End()
}

// acquireNow opens the bucket's directories like acquire, but does not wait for a turn. A turn is a
// permission to open files. The caller has a turn already, or needs none. The call must end with
// releaseNow.
func (d *objectDriver) acquireNow(ctx context.Context) (*bucketstore.Store, error) {
	var s *bucketstore.Store
	err := bucketdir.Retry(ctx, func() (err error) {
		s, err = d.tryAcquire()
		return err
	})
	return s, err
}

// tryAcquire makes one attempt of acquireNow. If the bucket's path no longer leads to the open
// directories, it forgets them and fails with ErrAgain.
func (d *objectDriver) tryAcquire() (*bucketstore.Store, error) {
	s, isNew, err := d.openStore()
	if err != nil {
		return nil, err
	}
	if isNew {
		return s, nil
	}

	err = s.Tree.CheckPlace()
	if err == nil {
		return s, nil
	}
	if err == bucketdir.ErrReplaced || storage.CodeOf(err) == storage.BucketNotFound {
		d.forget(s)
		return nil, bucketdir.ErrAgain
	}
	d.releaseNow(s)
	return nil, err
}

// waitingForFiles returns the page that the function list reads. If too many files are open,
// waitingForFiles waits and calls list again. Because of these repeated calls, the function list
// must change nothing.
func waitingForFiles[P any](ctx context.Context, list func() (P, error)) (P, error) {
	var page P
	err := bucketdir.Retry(ctx, func() (err error) {
		page, err = list()
		return err
	})
	return page, err
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

// openStore returns the open directories, and opens them if they are not open. It counts one more user
// of the directories. The result isNew is true if it has opened them.
func (d *objectDriver) openStore() (s *bucketstore.Store, isNew bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, false, bucketdir.Failure(os.ErrClosed)
	}
	if d.live != nil {
		d.live.Users++
		return d.live, false, nil
	}

	s, err = bucketstore.Open(&d.bucket)
	if err != nil {
		if d.isGone && storage.CodeOf(err) == storage.BucketNotFound {
			err = bucketdir.GoneError(d.bucket.Managed, err)
		}
		return nil, false, err
	}
	d.live = s
	s.Users++
	return s, true, nil
}

// releaseNow ends the call for which acquireNow opened the directories. If no other call uses them
// and they are no longer needed, it closes them.
func (d *objectDriver) releaseNow(s *bucketstore.Store) {
	d.mu.Lock()
	s.Users--
	isNeeded := !d.closed && d.live == s
	isLast := s.Users == 0 && !isNeeded
	d.mu.Unlock()
	if isLast {
		s.Close()
	}
}

// forget ends a call as releaseNow does. The next call opens the directories again.
func (d *objectDriver) forget(s *bucketstore.Store) {
	d.mu.Lock()
	if d.live == s {
		d.live = nil
		d.isGone = true
	}
	d.mu.Unlock()
	d.releaseNow(s)
}

// Close closes the directories as soon as no call uses them. Bodies that Get has returned can still
// be read.
func (d *objectDriver) Close() error {
	d.mu.Lock()
	s := d.live
	isIdle := !d.closed && s != nil && s.Users == 0
	d.closed = true
	d.mu.Unlock()
	if isIdle {
		s.Close()
	}
	return nil
}

// An account is the directory that contains the buckets. Between buckets of the same account,
// objects are copied as files.
type account struct{ dir string }

// Locate returns a reference to an object as the source of a copy.
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

// resolvedPath returns the account and the name of the directory to which the bucket's path leads
// now. If the path leads to no directory, it returns the account and name from the time of opening.
func resolvedPath(d *objectDriver) (parent, bucket string) {
	path := d.bucket.Path
	if d.bucket.Managed {
		// Keep the bucket's own name, which may be a symbolic link.
		path = filepath.Dir(path)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return d.parent, d.bucket.Name
	}
	if d.bucket.Managed {
		return path, d.bucket.Name
	}
	return filepath.Dir(path), filepath.Base(path)
}

package local

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ driver.Driver = (*objectDriver)(nil)

// An objectDriver has no state except open directories. It opens them on first use, so that a
// bucket can be named before it exists. It opens them again if its path leads to another
// directory: the bucket was deleted and created again, or restored from a backup.
type objectDriver struct {
	driver.UnimplementedDriver
	parent       string // directory of the account, which contains the bucket; absolute and resolved
	bucket       string // the directory's name
	path         string // absolute, as the caller gave it: a symbolic link in it may lead elsewhere meanwhile
	managed      bool   // by a service: the directory must lie in that of path, even through symbolic links
	sync         bool
	visible      bool   // whether to write visible sidecars
	fileMode     uint32 // 0 means 0666 without the umask
	clock        clock
	versions     atomic.Bool    // whether the bucket keeps versions
	keeping      atomic.Int64   // how long an object is kept after it was removed for good, in nanoseconds
	locksObjects atomic.Bool    // whether it was opened WithObjectLock
	configKeys   signedurl.Keys // keys of Config

	mu     sync.Mutex
	live   *store // nil before the first use
	gone   bool   // live was open, and its path was lost
	closed bool

	// For tests: behave as on a file system without extended attributes, with coarse
	// times, or that folds case.
	noXattr, coarseTimes, strictNames bool
}

func newDriver(root string, c Config) (*objectDriver, error) {
	path, resolved, err := absolute(root, c)
	if err != nil {
		return nil, err
	}
	d := bucketDriver(filepath.Dir(resolved), filepath.Base(resolved), c)
	d.path, d.managed = path, false
	d.configKeys, err = signedurl.NewKeys(c.SigningKeys)
	return d, err
}

// bucketDriver returns a driver of a bucket that a service manages.
func bucketDriver(parent, bucket string, c Config) *objectDriver {
	d := &objectDriver{
		parent: parent, bucket: bucket, managed: true, sync: !c.NoSync, fileMode: uint32(c.FileMode),
		visible: c.Sidecars,
	}
	d.path = filepath.Join(parent, bucket)
	if d.clock.now = c.Now; c.Now == nil {
		d.clock.now = time.Now
	}
	return d
}

// Describe returns a description that holds on every file system. The settings of the bucket
// say whether it keeps versions.
func (d *objectDriver) Describe() driver.Description {
	if s, err := d.acquire(context.Background()); err == nil {
		if settings, err := s.settings.read(); err == nil {
			s.settings.learn(&settings)
		}
		d.release(s)
	}
	return driver.Description{
		Provider: provider,
		Bucket:   d.bucket,
		Location: d.parent,
		Places:   func() []driver.Place { return placesOf(d) },
		Features: driver.StreamingPut | storage.MultipartUploads |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.Versioning |
			storage.ObjectACLs | storage.StorageClasses | storage.OrderedListing |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
			storage.ObjectTags | storage.ObjectLock | storage.Restoring | driver.LateMetadata |
			storage.OpenUploads | storage.ListedUploads | storage.ServerMove | storage.SoftDelete | storage.ServerAppend | signedurl.Features,
		Versioned:        d.versions.Load(),
		EnableVersions:   func() { d.versions.Store(true) },
		EnableObjectLock: d.enableObjectLock,
		EnableSoftDelete: func(keep time.Duration) { d.keeping.Store(int64(keep)) },
		Local:            true,
		TaggedRevisions:  true,
		NeedsSigningBase: true,
		Origin:           d,
		MinPartSize:      1,
		MaxParts:         maxParts,
		MaxPage:          maxPage,
	}
}

const (
	maxParts = 10_000
	maxPage  = 1_000
)

// Native returns the *os.Root of the bucket's directory. It returns nil if the directory
// is not open.
func (d *objectDriver) Native() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return nil
	}
	return d.live.root
}

// acquire begins a call when the call has its turn. The directories stay open until release, even if Close is
// called meanwhile. A call that has acquired one bucket acquires another by acquireNow.
func (d *objectDriver) acquire(ctx context.Context) (s *store, err error) {
	if err := calls.take(ctx); err != nil {
		return nil, err
	}
	if s, err = d.acquireNow(ctx); err != nil {
		calls.end()
	}
	return s, err
}

// release ends a call that acquire began.
func (d *objectDriver) release(s *store) {
	d.releaseNow(s)
	calls.end()
}

// acquireNow begins a call that has a turn, or needs none. It ends by releaseNow.
func (d *objectDriver) acquireNow(ctx context.Context) (s *store, err error) {
	err = retry(ctx, func() error {
		found, opened, err := d.use()
		if err != nil || opened {
			s = found
			return err
		}
		switch err = found.tree.checkPlace(); {
		case err == nil:
			s = found
		case err == errReplaced || storage.CodeOf(err) == storage.BucketNotFound:
			d.forget(found)
			return errAgain
		default:
			d.releaseNow(found)
		}
		return err
	})
	return s, err
}

// openOnce acquires a bucket for one call, with a driver that is used only for that call. done also closes the
// driver; it may be called again.
func openOnce(ctx context.Context, d *objectDriver) (s *store, done func(), err error) {
	if s, err = d.acquireNow(ctx); err != nil {
		_ = d.Close()
		return nil, nil, err
	}
	return s, sync.OnceFunc(func() {
		d.releaseNow(s)
		_ = d.Close()
	}), nil
}

// use returns the open directories for one more call, and whether it has just opened them.
func (d *objectDriver) use() (s *store, opened bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, false, failure(os.ErrClosed)
	}
	if d.live == nil {
		if d.live, err = newStore(d); err != nil {
			if d.gone && storage.CodeOf(err) == storage.BucketNotFound {
				err = goneError(d.managed, err)
			}
			return nil, false, err
		}
		opened = true
	}
	d.live.users++
	return d.live, opened, nil
}

// releaseNow ends a call that acquireNow began. It closes the directories if no call uses them
// any more.
func (d *objectDriver) releaseNow(s *store) {
	d.mu.Lock()
	s.users--
	last := s.users == 0 && (d.closed || d.live != s)
	d.mu.Unlock()
	if last {
		s.close()
	}
}

// forget is releaseNow that makes the next call open the directories again.
func (d *objectDriver) forget(s *store) {
	d.mu.Lock()
	if d.live == s {
		d.live, d.gone = nil, true
	}
	d.mu.Unlock()
	d.releaseNow(s)
}

// Close closes the directory after the calls in progress have ended. Open bodies can
// still be read.
func (d *objectDriver) Close() error {
	d.mu.Lock()
	s := d.live
	idle := !d.closed && s != nil && s.users == 0
	d.closed = true
	d.mu.Unlock()
	if idle {
		s.close()
	}
	return nil
}

// An account is the directory that contains the buckets. Objects are copied as files
// between buckets with the same parent.
type account struct{ dir string }

// Locate returns the reference of an object, for copies.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	parent, bucket := resolvedPath(d)
	return driver.ObjectRef{
		Account: account{parent}, Bucket: bucket, Key: key, Directory: filepath.Join(parent, bucket),
	}
}

// placesOf returns the directory to which the path leads now.
func placesOf(d *objectDriver) []driver.Place {
	ref := d.Locate("")
	return []driver.Place{{Account: ref.Account, Bucket: ref.Bucket, Directory: ref.Directory, Direct: true}}
}

// resolvedPath returns the account and the name of the directory to which the path leads now.
// If it leads to none, it returns those of the time when the bucket was opened.
func resolvedPath(d *objectDriver) (parent, bucket string) {
	path := d.path
	if d.managed {
		path = filepath.Dir(path) // in its account, a bucket is known by its name, which may be the name of a link
	}
	path, err := filepath.EvalSymlinks(path)
	switch {
	case err != nil:
		return d.parent, d.bucket
	case d.managed:
		return path, d.bucket
	}
	return filepath.Dir(path), filepath.Base(path)
}

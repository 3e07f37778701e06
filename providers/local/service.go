package local

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

var _ driver.ServiceDriver = (*serviceDriver)(nil)

// A serviceDriver manages buckets, which are the directories in one directory. It does not support
// credentials, because the operating system checks the user of the process.
type serviceDriver struct {
	driver.UnimplementedServiceDriver
	path   string // absolute; a symbolic link in it may lead elsewhere later
	config Config
	keys   signedurl.Keys // keys of Config
}

// An openAccount is the directory to which the service's path leads. It is open during one call.
type openAccount struct {
	root   *os.Root
	dir    string // the path of root without symbolic links
	config Config
}

// open opens the directory of the service. The caller must call closeRoot.
func (s *serviceDriver) open() (*openAccount, error) {
	dir := s.resolve()
	root, err := bucketdir.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &openAccount{root: root, dir: dir, config: s.config}, nil
}

func (a *openAccount) closeRoot() { _ = a.root.Close() }

// resolve returns the path of the service's directory with all symbolic links followed.
func (s *serviceDriver) resolve() string {
	if dir, err := filepath.EvalSymlinks(s.path); err == nil {
		return dir
	}
	// The caller gets a better error when it opens the path.
	return s.path
}

// NewServiceDriver returns the driver of a service, for use with [engine.NewService]. It fails with
// the same errors as [NewService].
func NewServiceDriver(root string, c Config) (driver.ServiceDriver, error) {
	keys, err := signedurl.NewKeys(c.SigningKeys)
	if err != nil {
		return nil, err
	}
	path, _, err := absolutePath(root, c)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}

	s := &serviceDriver{path: path, config: c, keys: keys}
	account, err := s.open()
	if err != nil {
		return nil, err
	}
	defer account.closeRoot()
	account.sweepTrash(context.Background())
	return s, nil
}

func (s *serviceDriver) Provider() string { return bucketdir.Provider }

// Close does nothing, because the service keeps nothing open. Drivers of its buckets remain open.
func (s *serviceDriver) Close() error { return nil }

// checkName fails with InvalidArgument unless name can be a directory's name without a leading dot.
func checkName(name string) error {
	isHidden := strings.HasPrefix(name, ".")
	// IsLocal rejects "" and, on Windows, the names of devices.
	isOneElement := filepath.IsLocal(name) && !strings.ContainsAny(name, `/\`)
	if isHidden || !isOneElement {
		return argument.Invalid("bucket", "must be the name of a directory, without a leading dot", "")
	}
	return nil
}

// CreateBucket creates a bucket with its settings in a hidden trash directory, and then moves it to
// its place. So even if the process is killed, no bucket exists without its settings, which may
// include object lock.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := bucketdir.ContextError(ctx); err != nil {
		return nil, err
	}
	if err := checkName(r.Name); err != nil {
		return nil, err
	}
	// Invalid settings must fail before anything is created.
	if err := new(bucketstore.BucketSettings).Apply(r); err != nil {
		return nil, err
	}

	account, err := s.open()
	if err != nil {
		return nil, err
	}
	defer account.closeRoot()
	account.sweepTrash(ctx)
	if account.hasBucket(r.Name) {
		return nil, storage.BucketExists
	}

	t, err := account.newTrash(ctx)
	if err != nil {
		return nil, err
	}
	defer t.claim.End()

	info, err := t.createBucket(ctx, r)
	if err != nil {
		// If this fails, a later sweep of the trash removes the directory.
		_ = account.root.RemoveAll(t.claim.Path + "/" + r.Name)
		return nil, err
	}
	return info, nil
}

// hasBucket reports whether a file or directory has the name of the bucket.
func (a *openAccount) hasBucket(name string) bool {
	_, err := a.root.Lstat(name)
	return err == nil
}

// BucketInfo returns the settings of a bucket. If another program has created the directory, it
// returns only the name.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	return s.withSettings(ctx, name, (*bucketstore.Settings).Read)
}

// UpdateBucket changes the settings that the request sets. It fails with Unsupported if the request
// sets a region, because a bucket cannot move.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	change := func(settings *bucketstore.BucketSettings) error { return settings.Apply(r) }
	return s.withSettings(ctx, r.Name, func(s *bucketstore.Settings) (bucketstore.BucketSettings, error) {
		return s.Change(ctx, change)
	})
}

// withSettings calls get with the open settings of a bucket, and returns the settings that get
// returns.
func (s *serviceDriver) withSettings(
	ctx context.Context, name string, get func(*bucketstore.Settings) (bucketstore.BucketSettings, error),
) (*storage.BucketInfo, error) {
	bucket, closeBucket, err := s.openBucket(ctx, name)
	if err != nil {
		return nil, err
	}
	defer closeBucket()

	settings, err := get(bucket.Settings)
	if err != nil {
		return nil, err
	}
	return settings.Info(name), nil
}

// openBucket opens a bucket for one call, at whose end the caller must call closeBucket.
func (s *serviceDriver) openBucket(
	ctx context.Context, name string,
) (bucket *bucketstore.Store, closeBucket func(), err error) {
	if err := checkName(name); err != nil {
		return nil, nil, storage.BucketNotFound
	}
	return openOnce(ctx, s.driver(name))
}

// ListBuckets returns a page of the buckets, sorted by name, and the token of the next page.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	if err := bucketdir.ContextError(ctx); err != nil {
		return nil, "", err
	}
	lastListed, err := bucketstore.ParseToken(&driver.ListRequest{Token: token})
	if err != nil {
		return nil, "", err
	}
	names, err := s.bucketNames(lastListed.Key)
	if err != nil {
		return nil, "", err
	}

	nextToken := ""
	if len(names) > bucketstore.MaxPage {
		names = names[:bucketstore.MaxPage]
		nextToken = bucketstore.Position{Key: names[len(names)-1]}.Token()
	}

	var page []storage.BucketInfo
	for _, name := range names {
		info, err := s.BucketInfo(ctx, name)
		if storage.CodeOf(err) == storage.BucketNotFound {
			// The directory was removed meanwhile.
			continue
		}
		if err != nil {
			return nil, "", err
		}
		page = append(page, *info)
	}
	return page, nextToken, nil
}

// bucketNames returns the names of all buckets that sort after startAfter. A link counts as a
// bucket, because it may lead to a directory.
func (s *serviceDriver) bucketNames(startAfter string) ([]string, error) {
	account, err := s.open()
	if err != nil {
		return nil, err
	}
	defer account.closeRoot()

	root, err := osdir.Open(account.root, nil, "") // the directory that contains the buckets
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}
	defer root.Close()

	names, err := root.Names(func(entry osdir.Entry) bool {
		mayBeDir := entry.Kind != osdir.KindFile && entry.Kind != osdir.KindOther
		return mayBeDir && entry.Name > startAfter && checkName(entry.Name) == nil
	})
	return names, bucketdir.WrapError(err)
}

// DeleteBucket removes a bucket and its uploads in progress. If the bucket has an object, a
// noncurrent version or a delete marker, it fails with BucketNotEmpty.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return storage.BucketNotFound
	}
	account, err := s.open()
	if err != nil {
		return err
	}
	defer account.closeRoot()
	account.sweepTrash(ctx)

	bucket, closeBucket, err := openOnce(ctx, bucketDriver(account.dir, name, s.config))
	if err != nil {
		return err
	}
	defer closeBucket()

	// Fail early if the bucket is not empty, without a change.
	if err := bucket.Tree.CheckEmpty(); err != nil {
		return err
	}
	if err := bucket.Tree.Initialize(); err != nil {
		return err
	}

	// Check again under a lock that keeps everybody from writing an object or the settings.
	unlock, err := bucket.Locks.LockAll(ctx)
	if err != nil {
		return err
	}
	unlock = sync.OnceFunc(unlock)
	defer unlock()
	if err := bucket.Tree.CheckEmpty(); err != nil {
		return err
	}

	t, err := account.newTrash(ctx)
	if err != nil {
		return err
	}
	defer t.claim.End()

	if runtime.GOOS == "windows" {
		// Windows cannot rename a directory with an open file.
		unlock()
		closeBucket()
	}
	return t.deleteBucket(ctx, name)
}

// Driver returns a driver for a bucket. It does not look whether the bucket exists; if it does not,
// the driver's operations fail with BucketNotFound.
func (s *serviceDriver) Driver(name string) (driver.Driver, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return s.driver(name), nil
}

// driver returns a driver for the bucket. The caller has checked the name.
func (s *serviceDriver) driver(name string) *objectDriver {
	d := bucketDriver(s.resolve(), name, s.config)
	d.bucket.Path = filepath.Join(s.path, name)
	d.bucket.ConfigKeys = s.keys
	return d
}

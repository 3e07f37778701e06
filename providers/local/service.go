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

// open opens the directory of the service for one call.
func (s *serviceDriver) open() (*openAccount, error) {
	dir := s.resolve()
	root, err := bucketdir.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &openAccount{root: root, dir: dir, config: s.config}, nil
}

func (a *openAccount) closeRoot() { _ = a.root.Close() }

// resolve returns the path of the service's directory, without symbolic links.
func (s *serviceDriver) resolve() string {
	if dir, err := filepath.EvalSymlinks(s.path); err == nil {
		return dir
	}
	// Opening the path returns a better error.
	return s.path
}

// NewServiceDriver opens a service as [NewService] does, and returns a driver for
// [engine.NewService].
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
	a, err := s.open()
	if err != nil {
		return nil, err
	}
	defer a.closeRoot()
	a.sweepTrash(context.Background())
	return s, nil
}

func (s *serviceDriver) Provider() string { return bucketdir.Provider }

// Close does nothing, because the service keeps nothing open. Drivers of its buckets remain open.
func (s *serviceDriver) Close() error { return nil }

// checkName fails with InvalidArgument if name cannot be the name of a bucket. A bucket's name is
// the name of a directory and does not begin with a dot.
func checkName(name string) error {
	isHidden := strings.HasPrefix(name, ".")
	isPath := strings.ContainsAny(name, `/\`) || !filepath.IsLocal(name) // and "" is not local
	if isHidden || isPath {
		return argument.Invalid("bucket", "must be the name of a directory, without a leading dot", "")
	}
	return nil
}

// CreateBucket creates the directory of a bucket in a trash, a hidden directory beside the buckets.
// Then it moves the directory to its place, with its settings. If that fails or the process is
// killed, the bucket does not exist. So a bucket never lacks its settings, which may include object
// lock.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := bucketdir.Interrupted(ctx); err != nil {
		return nil, err
	}
	if err := checkName(r.Name); err != nil {
		return nil, err
	}
	if err := new(bucketstore.BucketSettings).Apply(r); err != nil {
		return nil, err
	}

	a, err := s.open()
	if err != nil {
		return nil, err
	}
	defer a.closeRoot()
	a.sweepTrash(ctx)
	if a.hasBucket(r.Name) {
		return nil, storage.BucketExists
	}

	t, err := a.newTrash(ctx)
	if err != nil {
		return nil, err
	}
	defer t.claim.End()

	info, err := t.createBucket(ctx, r)
	if err != nil {
		// If this fails, a later sweep of the trash removes the directory.
		_ = a.root.RemoveAll(t.claim.Path + "/" + r.Name)
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

// UpdateBucket changes the settings that the request sets. If the request sets a region, it fails
// with Unsupported, because a bucket cannot move.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	return s.withSettings(ctx, r.Name, func(b *bucketstore.Settings) (bucketstore.BucketSettings, error) {
		return b.Change(ctx, func(b *bucketstore.BucketSettings) error { return b.Apply(r) })
	})
}

// withSettings opens a bucket, calls get with its settings, and closes the bucket. It returns the
// result of get.
func (s *serviceDriver) withSettings(
	ctx context.Context, name string, get func(*bucketstore.Settings) (bucketstore.BucketSettings, error),
) (*storage.BucketInfo, error) {
	b, done, err := s.openBucket(ctx, name)
	if err != nil {
		return nil, err
	}
	defer done()
	settings, err := get(b.Settings)
	if err != nil {
		return nil, err
	}
	return settings.Info(name), nil
}

// openBucket opens a bucket for one call. The caller must call done.
func (s *serviceDriver) openBucket(ctx context.Context, name string) (b *bucketstore.Store, done func(), err error) {
	if err := checkName(name); err != nil {
		return nil, nil, storage.BucketNotFound
	}
	return openOnce(ctx, s.driver(name))
}

// ListBuckets returns a page of the directories of the service, sorted by name, and the token of the next page. It
// omits hidden directories.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	if err := bucketdir.Interrupted(ctx); err != nil {
		return nil, "", err
	}
	start, err := bucketstore.ParseToken(&driver.ListRequest{Token: token})
	if err != nil {
		return nil, "", err
	}
	names, err := s.bucketNames(start.Key)
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

// bucketNames returns the sorted names of the buckets after startAfter. A link counts as a bucket,
// because it may lead to a directory.
func (s *serviceDriver) bucketNames(startAfter string) ([]string, error) {
	a, err := s.open()
	if err != nil {
		return nil, err
	}
	defer a.closeRoot()
	dir, err := osdir.Open(a.root, nil, "")
	if err != nil {
		return nil, bucketdir.Failure(err)
	}
	defer dir.Close()

	names, err := dir.Names(func(entry osdir.Entry) bool {
		mayBeDir := entry.Kind != osdir.KindFile && entry.Kind != osdir.KindOther
		return mayBeDir && entry.Name > startAfter && checkName(entry.Name) == nil
	})
	return names, bucketdir.Failure(err)
}

// DeleteBucket removes a bucket and its uploads in progress. If the bucket has an object, a
// noncurrent version or a delete marker, it fails with BucketNotEmpty.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return storage.BucketNotFound
	}
	a, err := s.open()
	if err != nil {
		return err
	}
	defer a.closeRoot()
	a.sweepTrash(ctx)

	b, done, err := openOnce(ctx, bucketDriver(a.dir, name, s.config))
	if err != nil {
		return err
	}
	defer done()

	// Fail early if the bucket is not empty, without a change.
	if err := b.Tree.CheckEmpty(); err != nil {
		return err
	}
	if err := b.Tree.Initialize(); err != nil {
		return err
	}

	// Nobody can write an object or change settings now.
	unlock, err := b.Locks.LockAll(ctx)
	if err != nil {
		return err
	}
	unlock = sync.OnceFunc(unlock)
	defer unlock()
	if err := b.Tree.CheckEmpty(); err != nil {
		return err
	}

	t, err := a.newTrash(ctx)
	if err != nil {
		return err
	}
	defer t.claim.End()

	if runtime.GOOS == "windows" {
		// Windows cannot rename a directory with an open file.
		unlock()
		done()
	}
	return t.deleteBucket(ctx, name)
}

// Driver returns a driver for a bucket. If the bucket does not exist, operations of the
// driver fail with BucketNotFound.
func (s *serviceDriver) Driver(name string) (driver.Driver, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return s.driver(name), nil
}

// driver returns a driver for a bucket, whose name was checked.
func (s *serviceDriver) driver(name string) *objectDriver {
	d := bucketDriver(s.resolve(), name, s.config)
	d.bucket.Path = filepath.Join(s.path, name)
	d.bucket.ConfigKeys = s.keys
	return d
}

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
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

var _ driver.ServiceDriver = (*serviceDriver)(nil)

// A serviceDriver manages the directories in a directory. It does not support
// credentials: the operating system checks those of the process.
type serviceDriver struct {
	driver.UnimplementedServiceDriver
	path   string // absolute, as it was given: a symbolic link in it may lead elsewhere meanwhile
	config Config
	keys   signedurl.Keys // keys of Config
}

// An openAccount is the directory to which the path of a service leads, during one call.
type openAccount struct {
	root   *os.Root
	dir    string // without symbolic links
	config Config
}

func (s *serviceDriver) open() (*openAccount, error) {
	dir := s.resolve()
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	return &openAccount{root: root, dir: dir, config: s.config}, nil
}

func (a *openAccount) closeRoot() { _ = a.root.Close() }

// resolve returns the path of the directory to which the path leads now.
func (s *serviceDriver) resolve() string {
	if dir, err := filepath.EvalSymlinks(s.path); err == nil {
		return dir
	}
	return s.path // opening it returns a better error
}

// NewServiceDriver returns a driver for [engine.NewService], and otherwise does what
// [NewService] does.
func NewServiceDriver(root string, c Config) (driver.ServiceDriver, error) {
	keys, err := signedurl.NewKeys(c.SigningKeys)
	if err != nil {
		return nil, err
	}
	path, _, err := absolute(root, c)
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

func (s *serviceDriver) Provider() string { return provider }

// Close has nothing to close. Drivers of its buckets stay open.
func (s *serviceDriver) Close() error { return nil }

// checkName fails with InvalidArgument if name cannot be that of a bucket: a directory
// whose name does not begin with a dot.
func checkName(name string) error {
	if name == "" || name[0] == '.' || strings.ContainsAny(name, `/\`) || !filepath.IsLocal(name) {
		return argument.Invalid("bucket", "must be the name of a directory, without a leading dot", "")
	}
	return nil
}

// CreateBucket makes the directory of a bucket in a trash, and moves it to its place with its
// settings. If that fails or the process is killed, there is no bucket. So there is never a
// bucket without its settings, which may be those of locks.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	if err := checkName(r.Name); err != nil {
		return nil, err
	}
	if err := new(bucketSettings).apply(r); err != nil {
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
	defer t.claim.end()
	info, err := t.makeBucket(ctx, r)
	if err == nil {
		err = t.place(ctx, r.Name)
	}
	if err != nil {
		_ = a.root.RemoveAll(t.claim.path + "/" + r.Name)
		return nil, err
	}
	return info, nil
}

// hasBucket reports whether a file or directory has the name of the bucket.
func (a *openAccount) hasBucket(name string) bool {
	_, err := a.root.Lstat(name)
	return err == nil
}

// BucketInfo returns the settings of a bucket. If another program made the directory, it
// only returns the name.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	return s.withSettings(ctx, name, func(b *settings) (bucketSettings, error) { return b.read() })
}

// UpdateBucket changes the settings that the request has. If the request has a region, it
// fails with Unsupported: a bucket cannot move.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	return s.withSettings(ctx, r.Name, func(b *settings) (bucketSettings, error) {
		return b.change(ctx, func(b *bucketSettings) error { return b.apply(r) })
	})
}

// withSettings returns what get returns for a bucket.
func (s *serviceDriver) withSettings(
	ctx context.Context, name string, get func(*settings) (bucketSettings, error),
) (*storage.BucketInfo, error) {
	b, done, err := s.openBucket(ctx, name)
	if err != nil {
		return nil, err
	}
	defer done()
	settings, err := get(b.settings)
	if err != nil {
		return nil, err
	}
	return settings.info(name), nil
}

// openBucket opens a bucket for one call.
func (s *serviceDriver) openBucket(ctx context.Context, name string) (b *store, done func(), err error) {
	if err := checkName(name); err != nil {
		return nil, nil, storage.BucketNotFound
	}
	return openOnce(ctx, s.driver(name))
}

// ListBuckets returns the directories by name, without hidden ones.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	if err := interrupted(ctx); err != nil {
		return nil, "", err
	}
	after, err := parseToken(&driver.ListRequest{Token: token})
	if err != nil {
		return nil, "", err
	}
	names, err := s.bucketNames(after.key)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(names) > maxPage {
		names = names[:maxPage]
		next = position{key: names[maxPage-1]}.token()
	}
	var page []storage.BucketInfo
	for _, name := range names {
		info, err := s.BucketInfo(ctx, name)
		if storage.CodeOf(err) == storage.BucketNotFound {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		page = append(page, *info)
	}
	return page, next, nil
}

func (s *serviceDriver) bucketNames(after string) ([]string, error) {
	a, err := s.open()
	if err != nil {
		return nil, err
	}
	defer a.closeRoot()
	d, err := osdir.Open(a.root, nil, "")
	if err != nil {
		return nil, failure(err)
	}
	defer d.Close()
	names, err := d.Names(func(e osdir.Entry) bool {
		return checkName(e.Name) == nil && e.Name > after && e.Kind != osdir.KindFile && e.Kind != osdir.KindOther
	})
	return names, failure(err)
}

// DeleteBucket removes a bucket, with its uncompleted uploads. If the bucket has an
// object, a noncurrent version or a delete marker, it fails with BucketNotEmpty.
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
	if err := b.tree.checkEmpty(); err != nil {
		return err
	}
	if err := b.tree.initialize(); err != nil {
		return err
	}
	unlock, err := b.locks.lockAll(ctx) // no object can be placed, and no settings changed
	if err != nil {
		return err
	}
	unlock = sync.OnceFunc(unlock)
	defer unlock()
	if err := b.tree.checkEmpty(); err != nil {
		return err
	}
	t, err := a.newTrash(ctx)
	if err != nil {
		return err
	}
	defer t.claim.end()
	if runtime.GOOS == "windows" { // a directory with an open file cannot be renamed
		unlock()
		done()
	}
	return t.deleteBucket(ctx, name)
}

// hasFile reports whether path has a file that removeEmpty does not remove. The file need
// not be an object: its name may not be a key, or it may be a broken symbolic link.
func (t *tree) hasFile(path string) (holds bool, err error) {
	d, err := t.openToRead(path)
	if err != nil {
		return false, unlessAbsent(err)
	}
	var inner []string
	err = d.Each(func(e osdir.Entry) bool {
		if e.Kind == osdir.KindUnknown {
			if m, err := d.Stat(e.Name); err == nil {
				e.Kind = m.Kind
			}
		}
		switch {
		case d.PathOf(e.Name) == reserved || strings.HasPrefix(e.Name, reserved+string(markVisible)):
		case e.Kind == osdir.KindDir:
			inner = append(inner, d.PathOf(e.Name))
		default:
			holds = true
		}
		return !holds
	})
	d.Close()
	for _, path := range inner {
		if holds || err != nil {
			break
		}
		if holds, err = t.hasFile(path); err != nil {
			return false, err
		}
	}
	return holds, failure(err)
}

// removeEmpty removes the empty directories in path.
func (t *tree) removeEmpty(path string) error {
	d, err := t.openToRead(path)
	if err != nil {
		return unlessAbsent(err)
	}
	defer d.Close()
	var inner []string
	if err := d.Each(func(e osdir.Entry) bool {
		switch {
		case e.Kind == osdir.KindDir && d.PathOf(e.Name) != reserved:
			inner = append(inner, e.Name)
		case strings.HasPrefix(e.Name, reserved+string(markVisible)): // left by an object that another program removed
			_ = d.Unlink(e.Name)
		}
		return true
	}); err != nil {
		return failure(err)
	}
	for _, name := range inner {
		if err := t.removeEmpty(d.PathOf(name)); err != nil {
			return err
		}
		_ = d.Rmdir(name)
	}
	return nil
}

// Driver returns a driver for a bucket. If the bucket does not exist, operations of the
// driver fail with BucketNotFound.
func (s *serviceDriver) Driver(name string) (driver.Driver, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return s.driver(name), nil
}

func (s *serviceDriver) driver(name string) *objectDriver {
	d := bucketDriver(s.resolve(), name, s.config)
	d.path = filepath.Join(s.path, name)
	d.configKeys = s.keys
	return d
}

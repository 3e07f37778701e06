package local

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

var _ storage.Driver = (*driver)(nil)

// A driver has no state except open directories. It opens them on first use, so that a
// bucket can be named before it exists.
type driver struct {
	storage.UnimplementedDriver
	parent       string // absolute; the account, which contains the directory of the bucket
	bucket       string // the directory's name
	managed      bool   // by a service: the directory must lie in parent, even through symbolic links
	sync         bool
	visible      bool   // write visible sidecars
	fileMode     uint32 // 0 means 0666 without the umask
	clock        clock
	versions     atomic.Bool                    // whether they are kept
	locksObjects atomic.Bool                    // opened WithObjectLock
	configKeys   signedurl.Keys                 // from Config
	ownKeys      atomic.Pointer[signedurl.Keys] // from the directory, once read

	mu     sync.Mutex
	live   *store
	users  int
	closed bool

	// For tests: behave as on a file system without extended attributes, with coarse
	// times, or that folds case; and observe which directories are opened.
	noXattr, coarseTimes, strictNames bool
	onOpen                            func(path string)
}

func newDriver(root string, c Config) (*driver, error) {
	if err := checkMode(c.FileMode); err != nil {
		return nil, err
	}
	path, err := absolute(root, c.Create, !c.NoSync)
	if err != nil {
		return nil, err
	}
	d := bucketDriver(filepath.Dir(path), filepath.Base(path), c)
	d.configKeys, err = signedurl.NewKeys(c.SigningKeys)
	return d, err
}

func bucketDriver(parent, bucket string, c Config) *driver {
	d := &driver{parent: parent, bucket: bucket, sync: !c.NoSync, fileMode: uint32(c.FileMode), visible: c.Sidecars}
	if d.clock.now = c.Now; c.Now == nil {
		d.clock.now = time.Now
	}
	return d
}

// Describe returns a description that holds on every file system. The settings of the
// bucket tell whether versions are kept.
func (d *driver) Describe() storage.Description {
	if s, err := d.acquire(context.Background()); err == nil {
		if settings, err := s.settings(); err == nil && settings.Versioning {
			d.versions.Store(true)
		}
		d.release(s)
	}
	return storage.Description{
		Provider: provider,
		Bucket:   d.bucket,
		Location: d.parent,
		Features: storage.StreamingPut | storage.MultipartUploads |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.Versioning |
			storage.ObjectACLs | storage.StorageClasses | storage.OrderedListing |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
			storage.ObjectTags | storage.ObjectLock | storage.Restoring | storage.LateMetadata |
			storage.OpenUploads | storage.ListedUploads | signFeatures,
		Versioned:        d.versions.Load(),
		EnableVersions:   func() { d.versions.Store(true) },
		EnableObjectLock: d.enableObjectLock,
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
func (d *driver) Native() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return nil
	}
	return d.live.root
}

// acquire begins a call. The directories stay open until release, even if Close is called
// meanwhile.
func (d *driver) acquire(ctx context.Context) (*store, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, failure(os.ErrClosed)
	}
	if d.live == nil {
		s, err := newStore(d)
		if err != nil {
			return nil, err
		}
		d.live = s
	}
	d.users++
	return d.live, nil
}

func (d *driver) release(s *store) {
	d.mu.Lock()
	d.users--
	last := d.closed && d.users == 0
	d.mu.Unlock()
	if last {
		s.close()
	}
}

// Close closes the directory after the calls in progress have ended. Open bodies can
// still be read.
func (d *driver) Close() error {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	s, idle := d.live, d.users == 0
	d.mu.Unlock()
	if first && idle && s != nil {
		s.close()
	}
	return nil
}

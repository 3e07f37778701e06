package local

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signed"
)

var _ storage.Driver = (*driver)(nil)

// driver keeps no state but open directories. They are opened when they are
// first needed, so that a bucket can be named before it is there.
type driver struct {
	storage.UnimplementedDriver
	parent   string // absolute; the account, which holds the bucket's directory
	bucket   string // the directory's name
	managed  bool   // by a service: the directory must lie in parent, also through symbolic links
	sync     bool
	visible  bool   // write visible sidecars
	fileMode uint32 // 0: what the umask leaves
	clock    clock
	versions atomic.Bool                 // keep them
	given    signed.Keys                 // of Config
	secret   atomic.Pointer[signed.Keys] // of the directory, once it was read

	mu     sync.Mutex
	live   *store
	users  int
	closed bool

	// Of tests: what a file system without extended attributes, or with coarse
	// times, or one that folds case would do; and who opens which directory.
	noXattr, coarseTimes, strictNames bool
	opened                            func(path string)
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
	d.given, err = signed.NewKeys(c.SigningKeys)
	return d, err
}

func bucketDriver(parent, bucket string, c Config) *driver {
	d := &driver{parent: parent, bucket: bucket, sync: !c.NoSync, fileMode: uint32(c.FileMode), visible: c.Sidecars}
	if d.clock.now = c.Now; c.Now == nil {
		d.clock.now = time.Now
	}
	return d
}

// Describe tells what holds on every file system. That versions are kept is
// asked of the bucket's settings.
func (d *driver) Describe() storage.Description {
	if s, err := d.enter(context.Background()); err == nil {
		if settings, err := s.settings(); err == nil && settings.Versioning {
			d.versions.Store(true)
		}
		d.leave(s)
	}
	return storage.Description{
		Provider: provider,
		Bucket:   d.bucket,
		Location: d.parent,
		Features: storage.StreamPut | storage.UploadParts |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.UniqueRevisions | storage.ServerCopy | storage.ServerCompose | storage.KeepVersions |
			storage.ObjectACL | storage.StorageClasses | storage.OrderedList |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | signFeatures,
		Versioned:       d.versions.Load(),
		StartVersions:   func() { d.versions.Store(true) },
		Local:           true,
		TaggedRevisions: true,
		SigningBase:     true,
		Origin:          d,
		MinPartSize:     1,
		MaxParts:        maxParts,
		MaxPage:         maxPage,
	}
}

const (
	maxParts = 10_000
	maxPage  = 1_000
)

// Native is the *os.Root of the bucket's directory, where that is open.
func (d *driver) Native() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return nil
	}
	return d.live.root
}

// enter begins a call: the directories stay open until leave, also when Close
// comes in between.
func (d *driver) enter(ctx context.Context) (*store, error) {
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

func (d *driver) leave(s *store) {
	d.mu.Lock()
	d.users--
	last := d.closed && d.users == 0
	d.mu.Unlock()
	if last {
		s.close()
	}
}

// Close lets go of the directory when the calls that are under way have ended.
// Bodies that are being read stay open.
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

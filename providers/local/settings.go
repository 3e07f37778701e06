package local

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectlock"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// bucketSettings are the settings of a bucket, in the file settingsPath.
type bucketSettings struct {
	Created    time.Time               `json:"created,omitzero"`
	Region     string                  `json:"region,omitempty"`
	Public     bool                    `json:"public,omitempty"`
	Versioning bool                    `json:"versioning,omitempty"`
	CORS       []storage.CORSRule      `json:"cors,omitempty"`
	Lifecycle  []storage.LifecycleRule `json:"lifecycle,omitempty"`
	ObjectLock bool                    `json:"objectLock,omitempty"` // true for good, once it is set

	DefaultRetention storage.DefaultRetention `json:"defaultRetention,omitzero"`
	SoftDelete       *time.Duration           `json:"softDelete,omitempty"` // nil means as the bucket is opened
}

// A settingsFile is the file of settings as it was read last.
type settingsFile struct {
	meta     osdir.Meta
	settings bucketSettings
}

// settings has the settings of the bucket and the keys that sign its URLs.
type settings struct {
	tree         *tree
	locks        *locks
	staging      *staging
	locksObjects *atomic.Bool   // the driver's
	configKeys   signedurl.Keys // keys of Config

	known   atomic.Pointer[settingsFile]
	ownKeys atomic.Pointer[signedurl.Keys] // keys in the directory, once they were read
}

// current returns the settings of the bucket. It reads them again only if the file was replaced
// since the last time. The caller must not change lists in them.
func (s *settings) current() (bucketSettings, error) {
	m, err := s.tree.top.Stat(settingsPath)
	if osdir.IsNotExist(err) {
		return bucketSettings{}, nil
	}
	if err != nil {
		return bucketSettings{}, failure(err)
	}
	if known := s.known.Load(); known != nil && known.meta == m {
		return known.settings, nil
	}
	b, err := s.read()
	if err == nil {
		s.known.Store(&settingsFile{m, b}) // the file may be newer than m: then it is read again
	}
	return b, err
}

// change changes settings under a lock, so that no concurrent change is lost. The caller
// holds no lock of a key.
func (s *settings) change(ctx context.Context, change func(*bucketSettings) error) (bucketSettings, error) {
	if _, err := s.staging.dir(ctx); err != nil {
		return bucketSettings{}, err
	}
	unlock, err := s.locks.lock(ctx, settingsPath)
	if err != nil {
		return bucketSettings{}, err
	}
	defer unlock()
	settings, err := s.read()
	if err != nil {
		return settings, err
	}
	if err := change(&settings); err != nil {
		return settings, err
	}
	return settings, s.save(ctx, settings)
}

// read returns the settings of the bucket. If it has none, or they were lost, it returns the zero
// value. Settings that lock objects are always flushed.
func (s *settings) read() (bucketSettings, error) {
	var b bucketSettings
	if _, err := s.tree.readDocument(settingsPath, &b); err != nil {
		return bucketSettings{}, err
	}
	return b, nil
}

func (s *settings) save(ctx context.Context, b bucketSettings) error {
	w, err := s.staging.dir(ctx)
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return failure(err)
	}
	return s.tree.replaceFileSynced(settingsPath, w.dir.Path, append(content, '\n'), 0o666, s.tree.sync || b.ObjectLock)
}

// apply sets the settings that r has.
func (b *bucketSettings) apply(r *driver.BucketRequest) error {
	if r.PublicAccess != nil {
		b.Public = *r.PublicAccess
	}
	if r.CORS != nil {
		b.CORS = *r.CORS
	}
	if r.Lifecycle != nil {
		b.Lifecycle = *r.Lifecycle
	}
	if r.SoftDelete != nil {
		b.SoftDelete = r.SoftDelete
	}
	return objectlock.Apply(r, &b.Versioning, &b.ObjectLock, &b.DefaultRetention)
}

func (b *bucketSettings) info(name string) *storage.BucketInfo {
	info := &storage.BucketInfo{
		Name: name, Provider: provider, Region: b.Region, Created: b.Created,
		Public: b.Public, Versioning: b.Versioning, CORS: b.CORS, Lifecycle: b.Lifecycle,
		ObjectLock: b.ObjectLock, DefaultRetention: b.DefaultRetention,
	}
	if b.SoftDelete != nil {
		info.SoftDelete = *b.SoftDelete
	}
	return info
}

package bucketstore

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// BucketSettings are the settings of a bucket, in the file SettingsPath.
type BucketSettings struct {
	Created    time.Time               `json:"created,omitzero"`
	Region     string                  `json:"region,omitempty"`
	Public     bool                    `json:"public,omitempty"`
	Versioning bool                    `json:"versioning,omitempty"`
	CORS       []storage.CORSRule      `json:"cors,omitempty"`
	Lifecycle  []storage.LifecycleRule `json:"lifecycle,omitempty"`
	ObjectLock bool                    `json:"objectLock,omitempty"` // once true, it stays true

	DefaultRetention storage.DefaultRetention `json:"defaultRetention,omitzero"`
	SoftDelete       *time.Duration           `json:"softDelete,omitempty"` // nil means that the option of Open applies
}

// A settingsFile holds the settings from the last read of the settings file. meta is the
// file's stat result from that time.
type settingsFile struct {
	meta     osdir.Meta
	settings BucketSettings
}

// Settings gives access to the settings of the bucket and to the keys that sign its URLs.
type Settings struct {
	tree         *bucketdir.Tree
	locks        *bucketdir.Locks
	staging      *objectfile.Staging
	locksObjects *atomic.Bool   // true if the bucket was opened WithObjectLock
	configKeys   signedurl.Keys // keys of Config

	cached     atomic.Pointer[settingsFile]
	bucketKeys atomic.Pointer[signedurl.Keys] // keys in the bucket's directory; nil until they have been read
}

// currentSettings returns the settings of the bucket, which it reads again only if their file was
// replaced. The caller must not change the lists in the result.
func (s *Settings) currentSettings() (BucketSettings, error) {
	meta, err := s.tree.Top.Stat(bucketdir.SettingsPath)
	if osdir.IsNotExist(err) {
		return BucketSettings{}, nil
	}
	if err != nil {
		return BucketSettings{}, bucketdir.WrapError(err)
	}
	if cached := s.cached.Load(); cached != nil && cached.meta == meta {
		return cached.settings, nil
	}

	settings, err := s.Read()
	if err != nil {
		return settings, err
	}
	// If the file was replaced after the stat, the next call reads it again.
	s.cached.Store(&settingsFile{meta, settings})
	return settings, nil
}

// Change calls change with the settings and stores the result, under a lock so that no concurrent
// change is lost. The caller must not hold the lock of a key.
func (s *Settings) Change(ctx context.Context, change func(*BucketSettings) error) (BucketSettings, error) {
	// Initialize the bucket, which the lock needs.
	if _, err := s.staging.Dir(ctx); err != nil {
		return BucketSettings{}, err
	}
	unlock, err := s.locks.Lock(ctx, bucketdir.SettingsPath)
	if err != nil {
		return BucketSettings{}, err
	}
	defer unlock()

	settings, err := s.Read()
	if err != nil {
		return settings, err
	}
	if err := change(&settings); err != nil {
		return settings, err
	}
	return settings, s.Save(ctx, settings)
}

// Read returns the settings of the bucket, or the zero value if it has none, or if a power failure has
// lost them. Settings with object lock are never lost.
func (s *Settings) Read() (BucketSettings, error) {
	var b BucketSettings
	if _, err := s.tree.ReadDocument(bucketdir.SettingsPath, &b); err != nil {
		return BucketSettings{}, err
	}
	return b, nil
}

// Save writes the settings. The caller must hold their lock. Settings with object lock are flushed to
// the disk in any case, so that a power failure does not lose them.
func (s *Settings) Save(ctx context.Context, b BucketSettings) error {
	stagingDir, err := s.staging.Dir(ctx)
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return bucketdir.WrapError(err)
	}
	content = append(content, '\n')
	sync := s.tree.Sync || b.ObjectLock
	return s.tree.ReplaceFileSynced(bucketdir.SettingsPath, stagingDir.Dir.Path, content, 0o666, sync)
}

// Apply changes the settings that have a value in the request.
func (b *BucketSettings) Apply(r *driver.BucketRequest) error {
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
	return lifetime.ApplySettings(r, &b.Versioning, &b.ObjectLock, &b.DefaultRetention)
}

// Info returns the settings of the bucket name in the form that callers receive.
func (b *BucketSettings) Info(name string) *storage.BucketInfo {
	info := &storage.BucketInfo{
		Name:             name,
		Provider:         bucketdir.Provider,
		Region:           b.Region,
		Created:          b.Created,
		Public:           b.Public,
		Versioning:       b.Versioning,
		CORS:             b.CORS,
		Lifecycle:        b.Lifecycle,
		ObjectLock:       b.ObjectLock,
		DefaultRetention: b.DefaultRetention,
	}
	if b.SoftDelete != nil {
		info.SoftDelete = *b.SoftDelete
	}
	return info
}

// Package driverstore is the store that keeps everything in the buckets of a service: a directory,
// or a provider behind a gateway.
package driverstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A Store keeps everything in the buckets of a storage.ServiceDriver: objects under their
// keys, and records of what the driver has no place for: settings, uploads and their parts. It
// keeps nothing in memory but what can be read again, so that another process can continue at any
// time. A driver without a feature makes the operations that need it NotImplemented.
//
// Versions are the driver's. On this machine, those that were written while the bucket did not keep
// versions are null versions. There, the driver keeps versions also while S3's versioning is
// suspended, and a null version that was replaced is removed right afterwards.
type Store struct {
	service storage.ServiceDriver
	now     func() time.Time
	// account, region and natural are those of buckets that this server did not make.
	account, region string
	natural         state.Settings

	mu   sync.Mutex
	open map[string]*driverBucket
	keys keyLocks
}

var _ state.Store = (*Store)(nil)

// A Config is what a [Store] uses.
type Config struct {
	Service storage.ServiceDriver
	Now     func() time.Time // in UTC
	// account, region and natural are those of buckets that this server did not make.
	Account, Region string
	Natural         state.Settings
}

// New returns a store of the buckets that the service has.
func New(c Config) *Store {
	return &Store{
		account: c.Account, region: c.Region, natural: c.Natural, service: c.Service, now: c.Now, open: map[string]*driverBucket{},
		keys: keyLocks{all: map[string]*keyLock{}},
	}
}

// A driverBucket is a bucket that is open.
type driverBucket struct {
	name    string
	service storage.ServiceDriver
	// account, region and natural are those of a bucket without a record.
	account, region string
	natural         state.Settings
	now             func() time.Time
	driver          storage.Driver

	mu       sync.Mutex
	desc     storage.Description
	records  *records // nil until there are any
	cached   *cachedBucket
	changing sync.Mutex // held while the record of the settings is replaced

	names   driverNames
	uploads driverUploads
}

// A cachedBucket is a bucket as it was read last.
type cachedBucket struct {
	bucket   *state.Bucket
	revision string // of the record; "" if there is none
	at       time.Time
}

// locate returns an open bucket, which need not exist.
func (s *Store) locate(name string) (*driverBucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.open[name]; b != nil {
		return b, nil
	}
	driver, err := s.service.Driver(name)
	if err != nil {
		return nil, s3error.New("NoSuchBucket", "BucketName", name)
	}
	b := &driverBucket{name: name, account: s.account, region: s.region, natural: s.natural, now: s.now, service: s.service, driver: driver}
	b.names.bucket, b.uploads.bucket = b, b
	s.open[name] = b
	return b, nil
}

// forget closes a bucket that is gone.
func (s *Store) forget(b *driverBucket) {
	s.mu.Lock()
	if s.open[b.name] == b {
		delete(s.open, b.name)
	}
	s.mu.Unlock()
	b.close()
}

func (b *driverBucket) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.driver.Close()
	if b.records != nil {
		b.records.close()
	}
}

// Close closes all buckets.
func (s *Store) Close() {
	s.mu.Lock()
	all := s.open
	s.open = map[string]*driverBucket{}
	s.mu.Unlock()
	for _, b := range all {
		b.close()
	}
}

// bucketOf returns an open bucket with its settings. If the bucket is gone, it may have been made
// again: then another one is opened.
func (s *Store) bucketOf(ctx context.Context, name string) (*driverBucket, *state.Bucket, error) {
	s.mu.Lock()
	wasOpen := s.open[name] != nil
	s.mu.Unlock()
	for {
		b, err := s.locate(name)
		if err != nil {
			return nil, nil, err
		}
		settings, err := b.read(ctx, false)
		if err == nil {
			return b, settings.bucket, nil
		}
		if !s3error.Is(err, "NoSuchBucket") {
			return nil, nil, err
		}
		s.forget(b)
		if !wasOpen {
			return nil, nil, err
		}
		wasOpen = false
	}
}

func (s *Store) Bucket(ctx context.Context, name string) (*state.Bucket, error) {
	_, b, err := s.bucketOf(ctx, name)
	return b, err
}

func (s *Store) CreateBucket(ctx context.Context, b *state.Bucket) (created bool, err error) {
	r := &storage.BucketRequest{Name: b.Name, ObjectLock: b.Locking != nil}
	if b.Versioning == state.Enabled {
		r.Versioning = new(true)
	}
	switch _, err := s.service.CreateBucket(ctx, r); {
	case storage.CodeOf(err) == storage.BucketExists:
		if _, err := s.Bucket(ctx, b.Name); err != nil {
			return false, s3error.New("BucketAlreadyExists", "BucketName", b.Name)
		}
		return false, nil
	case err != nil:
		return false, ErrorOf(err, b.Name)
	}
	opened, err := s.locate(b.Name)
	if err != nil {
		return false, err
	}
	err = opened.write(ctx, b, &cachedBucket{})
	switch {
	case isCode(err, storage.PreconditionFailed), isCode(err, storage.BucketNotFound):
		err = s3error.New("OperationAborted") // another call has changed or removed the bucket meanwhile
	case err != nil:
		s.uncreate(ctx, opened, b)
	}
	return true, err
}

// uncreate removes a bucket whose settings could not be stored, also if the client is gone. If the
// bucket has a record, or anything else by now, it stays.
func (s *Store) uncreate(ctx context.Context, b *driverBucket, asked *state.Bucket) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	b.changing.Lock()
	defer b.changing.Unlock()
	if found, err := b.read(ctx, true); err == nil && found.revision == "" {
		_ = s.removeBucket(ctx, b, asked) // the client gets the first error
	}
}

func (s *Store) ChangeBucket(ctx context.Context, name string, change func(*state.Bucket) error) error {
	b, _, err := s.bucketOf(ctx, name)
	if err != nil {
		return err
	}
	b.changing.Lock()
	defer b.changing.Unlock()
	for range 10 {
		old, err := b.read(ctx, true)
		if err != nil {
			return err
		}
		changed := *old.bucket
		if err := change(&changed); err != nil {
			return err
		}
		if err := b.update(ctx, old.bucket, &changed, s.now()); err != nil {
			return err
		}
		err = b.write(ctx, &changed, old)
		if !isCode(err, storage.PreconditionFailed) { // else another process was faster
			return err
		}
	}
	return s3error.New("OperationAborted")
}

// update tells the driver what it must know about the settings.
func (b *driverBucket) update(ctx context.Context, old, changed *state.Bucket, now time.Time) error {
	r := &storage.BucketRequest{Name: b.name}
	if changed.Lifecycle != old.Lifecycle && !b.description().Local {
		return s3error.New("NotImplemented", "Resource", "lifecycle").WithMessage("A gateway does not run lifecycle rules")
	}
	if changed.Versioning != old.Versioning {
		if changed.Versioning != state.Enabled && !b.description().Local {
			return s3error.New("NotImplemented", "Resource", "versioning").WithMessage("This server cannot suspend versioning of a bucket behind a gateway")
		}
		r.Versioning = new(true) // also while it is suspended: only null versions are replaced
		// Providers have null versions of their own, or clocks.
		if b.description().Local && (changed.Versioning == state.Enabled) != (old.Versioning == state.Enabled) {
			changed.VersioningChanges = append(slices.Clone(old.VersioningChanges), now)
		}
	}
	r.ObjectLock = changed.Locking != nil && old.Locking == nil
	if r.Versioning == nil && !r.ObjectLock {
		return nil
	}
	if _, err := b.service.UpdateBucket(ctx, r); err != nil {
		return ErrorOf(err, b.name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.desc = b.driver.Describe() // the driver learns it
	return nil
}

// description returns that of the driver.
func (b *driverBucket) description() *storage.Description {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.desc.Provider == "" {
		b.desc = b.driver.Describe()
	}
	return &b.desc
}

// keepsVersions reports whether there may be versions.
func (b *driverBucket) keepsVersions() bool {
	if b.description().Versioned {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cached != nil && b.cached.bucket.Versioning != ""
}

func (b *driverBucket) has(f storage.Features) bool { return b.description().Features&f == f }

// need returns NotImplemented if the driver lacks a feature.
func (b *driverBucket) need(f storage.Features, what string) error {
	if b.has(f) {
		return nil
	}
	return s3error.New("NotImplemented", "Resource", what).WithMessage("The store behind this server has no %s", what)
}

func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	b, old, err := s.bucketOf(ctx, name)
	if err != nil {
		return err
	}
	b.changing.Lock()
	defer b.changing.Unlock()
	return s.removeBucket(ctx, b, old)
}

// removeBucket looks for objects first, because Azure would remove them with the bucket.
func (s *Store) removeBucket(ctx context.Context, b *driverBucket, settings *state.Bucket) error {
	if r := b.records; r != nil && r.prefix != "" {
		if err := b.checkEmpty(ctx); err != nil {
			return err
		}
		if err := b.uploads.abortUploads(ctx); err != nil {
			return ErrorOf(err, b.name)
		}
		if err := r.removeAll(ctx, "", b.keepsVersions()); err != nil {
			return ErrorOf(err, b.name)
		}
	}
	if err := s.service.DeleteBucket(ctx, b.name); err != nil {
		if b.records != nil && b.records.prefix != "" { // an object has come meanwhile
			return errors.Join(ErrorOf(err, b.name), b.write(ctx, settings, &cachedBucket{}))
		}
		return ErrorOf(err, b.name)
	}
	s.forget(b)
	return nil
}

// checkEmpty fails if the bucket has anything but records.
func (b *driverBucket) checkEmpty(ctx context.Context) error {
	found := false
	err := b.names.eachName(ctx, &storage.ListRequest{}, func(e *storage.ListEntry) bool {
		found = !isRecord(e.Key)
		return !found
	})
	if err == nil && !found && b.keepsVersions() {
		err = b.names.eachVersion(ctx, &storage.ListRequest{}, func(*listedEntry) (bool, error) { // without records
			found = true
			return false, nil
		})
	}
	if err == nil && found {
		err = s3error.New("BucketNotEmpty", "BucketName", b.name)
	}
	return err
}

func (s *Store) ListBuckets(ctx context.Context, from string, show func(*state.Bucket) bool) error {
	for token := ""; ; {
		page, next, err := s.service.ListBuckets(ctx, token)
		if err != nil {
			return ErrorOf(err, "")
		}
		for _, info := range page {
			if info.Name < from {
				continue
			}
			b, err := s.Bucket(ctx, info.Name)
			if s3error.Is(err, "NoSuchBucket") {
				continue // it was removed meanwhile
			}
			if err != nil {
				return err
			}
			if !show(b) {
				return nil
			}
		}
		if token = next; token == "" {
			return nil
		}
	}
}

// shownTime returns a time that S3 can have: 1970 if it is not known.
func shownTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return t
}

// keyLocks serializes changes of one key in this process. A change may take as long as its client
// likes, and changes of other keys do not wait for it.
type keyLocks struct {
	mu  sync.Mutex
	all map[string]*keyLock
}

type keyLock struct {
	held  sync.Mutex
	users int // that hold it or wait for it
}

func (l *keyLocks) lock(key string) (unlock func()) {
	l.mu.Lock()
	k := l.all[key]
	if k == nil {
		k = &keyLock{}
		l.all[key] = k
	}
	k.users++
	l.mu.Unlock()
	k.held.Lock()
	return func() {
		k.held.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.all, key)
		}
	}
}

func isCode(err error, code storage.Code) bool { return err != nil && errors.Is(err, code) }

// naming returns the naming of the store. Azure takes a backslash for a slash, and advises against
// names that end in a dot.
func (b *driverBucket) naming() keyname.Naming {
	d := b.description()
	if d.Local {
		return keyname.Naming{}
	}
	return keyname.Naming{Empty: true, Slash: d.Features&storage.LeadingSlashes != 0, Others: d.Provider != "azure"}
}

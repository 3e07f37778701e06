// Package driverstore implements the store of the S3 server over a service of package driver: a
// directory, or a provider behind a gateway. The service's buckets keep all data.
package driverstore

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/s3server/internal/keylock"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// A Store keeps all data in the buckets of a driver.ServiceDriver. Objects are stored under their
// keys. Records keep the data for which the driver has no place: settings, uploads and their parts.
// Data in memory is only a cache, so another process can continue at any time. If an operation
// needs a feature that the driver does not have, the operation fails with NotImplemented.
//
// The driver keeps the versions. Null versions are those that were written while S3's versioning
// was off or suspended. In a directory or in memory, the Store determines which versions are null
// versions. The drivers of other providers determine this themselves. While S3's versioning is
// suspended, a write replaces the null version. The driver keeps both versions, so the Store
// removes the older one right after the write.
type Store struct {
	Config

	mu   sync.Mutex
	open map[string]*driverBucket
	keys keylock.Locks
}

var _ state.Store = (*Store)(nil)

// A Config has the service of a [Store], and the properties of buckets that other programs created.
type Config struct {
	Service driver.ServiceDriver
	Now     func() time.Time // in UTC
	// Account, Region and Defaults describe buckets that have no record, because another program
	// created them.
	Account, Region string
	Defaults        state.Settings
}

// New returns a store. Its buckets are those of the service.
func New(c Config) *Store {
	return &Store{Config: c, open: map[string]*driverBucket{}}
}

// locate returns the open bucket with this name, or opens it without a check that it exists.
func (s *Store) locate(name string) (*driverBucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.open[name]; b != nil {
		return b, nil
	}

	drv, err := s.Service.Driver(name)
	if err != nil {
		// No bucket can have this name.
		return nil, s3error.New("NoSuchBucket", "BucketName", name)
	}
	b := &driverBucket{
		name:         name,
		store:        s,
		driver:       drv,
		settingsLock: running.NewLock(),
		openLock:     running.NewLock(),
	}
	b.names.bucket = b
	b.uploads.bucket = b
	s.open[name] = b
	return b, nil
}

// forget closes a bucket that no longer exists.
func (s *Store) forget(b *driverBucket) {
	s.mu.Lock()
	if s.open[b.name] == b {
		delete(s.open, b.name)
	}
	s.mu.Unlock()
	b.close()
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

// bucketOf returns a bucket and its settings. A bucket that was removed and created again is opened again.
func (s *Store) bucketOf(ctx context.Context, name string) (*driverBucket, *state.Bucket, error) {
	s.mu.Lock()
	mayBeOutdated := s.open[name] != nil
	s.mu.Unlock()

	b, settings, err := s.readBucket(ctx, name)
	if mayBeOutdated && s3error.Is(err, "NoSuchBucket") {
		// readBucket has forgotten the outdated bucket, so the second call opens it again.
		return s.readBucket(ctx, name)
	}
	return b, settings, err
}

// readBucket opens a bucket, unless it is already open, and reads its settings. It forgets a bucket that is missing.
func (s *Store) readBucket(ctx context.Context, name string) (*driverBucket, *state.Bucket, error) {
	b, err := s.locate(name)
	if err != nil {
		return nil, nil, err
	}

	settings, err := b.read(ctx)
	if s3error.Is(err, "NoSuchBucket") {
		s.forget(b)
	}
	if err != nil {
		return nil, nil, err
	}
	return b, settings.bucket, nil
}

func (s *Store) Bucket(ctx context.Context, name string) (*state.Bucket, error) {
	_, b, err := s.bucketOf(ctx, name)
	return b, err
}

// CreateBucket creates a bucket with these settings, unless there is one of this name, which stays as it is. created is
// true if the driver has created a bucket, even if its settings could not be stored.
func (s *Store) CreateBucket(ctx context.Context, b *state.Bucket) (created bool, err error) {
	r := &driver.BucketRequest{Name: b.Name, ObjectLock: b.Locking != nil}
	if b.Versioning == state.Enabled {
		r.Versioning = new(true)
	}
	_, err = s.Service.CreateBucket(ctx, r)

	// The name may belong to a bucket of this server, which stays, or to one that it cannot read.
	if storage.CodeOf(err) == storage.BucketExists {
		if _, err := s.Bucket(ctx, b.Name); err != nil {
			return false, s3error.New("BucketAlreadyExists", "BucketName", b.Name)
		}
		return false, nil
	}
	if err != nil {
		return false, storageerror.ToS3(err, b.Name)
	}

	// Store the settings, which must not exist yet.
	bucket, err := s.locate(b.Name)
	if err != nil {
		return false, err
	}
	err = bucket.write(ctx, b, &cachedBucket{})
	if isCode(err, storage.PreconditionFailed) || isCode(err, storage.BucketNotFound) {
		// Another call has changed or removed the bucket in the meantime.
		return true, s3error.New("OperationAborted")
	}
	if err != nil {
		// A bucket without its settings must not remain.
		s.undoCreate(ctx, bucket, b)
		return true, err
	}
	return true, nil
}

// undoCreate removes a new bucket whose settings could not be stored, even if the client has disconnected. The bucket
// stays if it has a record or an object by then.
func (s *Store) undoCreate(ctx context.Context, bucket *driverBucket, settings *state.Bucket) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if bucket.settingsLock.Lock(ctx) != nil {
		return
	}
	defer bucket.settingsLock.Unlock()

	// The bucket stays if it has a record, or if it is unknown whether it has one.
	stored, err := bucket.readNewest(ctx)
	if err != nil || stored.revision != "" {
		return
	}

	// CreateBucket returns the first error, not that of the removal.
	_ = s.removeBucket(ctx, bucket, settings)
}

// lock acquires the lock with a name, which is held during requests.
func (s *Store) lock(ctx context.Context, name string) (unlock func(), err error) {
	unlock, err = s.keys.Lock(ctx, name)
	return unlock, storageerror.ToS3(err, name)
}

// ChangeBucket calls change with a copy of a bucket's settings and stores it, or calls change again if another process
// has changed the settings in the meantime.
func (s *Store) ChangeBucket(ctx context.Context, name string, change func(*state.Bucket) error) error {
	b, _, err := s.bucketOf(ctx, name)
	if err != nil {
		return err
	}
	if err := b.settingsLock.Lock(ctx); err != nil {
		return storageerror.ToS3(err, name)
	}
	defer b.settingsLock.Unlock()

	const maxAttempts = 10
	for range maxAttempts {
		stored, err := b.readNewest(ctx)
		if err != nil {
			return err
		}
		changed := *stored.bucket
		if err := change(&changed); err != nil {
			return err
		}

		// The driver has some of the settings, and the record has all.
		if err := b.update(ctx, stored.bucket, &changed); err != nil {
			return err
		}
		err = b.write(ctx, &changed, stored)
		isOutdated := isCode(err, storage.PreconditionFailed)
		if !isOutdated {
			return err
		}
	}
	return s3error.New("OperationAborted")
}

// DeleteBucket removes an empty bucket. Meanwhile, changes of its settings wait.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	b, settings, err := s.bucketOf(ctx, name)
	if err != nil {
		return err
	}
	if err := b.settingsLock.Lock(ctx); err != nil {
		return storageerror.ToS3(err, name)
	}
	defer b.settingsLock.Unlock()
	return s.removeBucket(ctx, b, settings)
}

// removeBucket removes an empty bucket and its records. It checks that the bucket is empty before
// it asks the driver, because Azure removes a bucket together with its objects.
func (s *Store) removeBucket(ctx context.Context, b *driverBucket, settings *state.Bucket) error {
	// Records among the objects of the bucket must be removed first. Private objects go with the bucket.
	r := b.openedRecords()
	hasRecords := r != nil && !r.arePrivate()
	if hasRecords {
		if err := b.checkEmpty(ctx); err != nil {
			return err
		}
		hasOthers, err := r.hasOthers(ctx, b.keepsVersions())
		if err != nil {
			return storageerror.ToS3(err, b.name)
		}
		if hasOthers {
			return s3error.New("BucketNotEmpty", "BucketName", b.name)
		}
		if err := b.uploads.abortUploads(ctx); err != nil {
			return storageerror.ToS3(err, b.name)
		}
		if err := r.removeAll(ctx, "", b.keepsVersions()); err != nil {
			return storageerror.ToS3(err, b.name)
		}
	}

	if err := s.Service.DeleteBucket(ctx, b.name); err != nil {
		err = storageerror.ToS3(err, b.name)
		if !hasRecords {
			return err
		}
		// The bucket stays, but its settings were removed with the records, so store them again.
		return errors.Join(err, b.write(ctx, settings, &cachedBucket{}))
	}
	s.forget(b)
	return nil
}

// ListBuckets yields each bucket whose name is at least start, in order, until an error.
func (s *Store) ListBuckets(ctx context.Context, start string) iter.Seq2[*state.Bucket, error] {
	return func(yield func(*state.Bucket, error) bool) {
		token := ""
		for {
			// The driver cannot begin at a name, so the loop leaves out the names before start.
			page, next, err := s.Service.ListBuckets(ctx, token)
			if err != nil {
				yield(nil, storageerror.ToS3(err, ""))
				return
			}
			for _, info := range page {
				if info.Name < start {
					continue
				}
				b, err := s.listedBucket(ctx, info.Name)
				if err != nil {
					yield(nil, err)
					return
				}
				if b != nil && !yield(b, nil) {
					return
				}
			}

			token = next
			if token == "" {
				return
			}
		}
	}
}

// listedBucket returns a bucket that the driver has listed, or nil if it is not a bucket of this server.
func (s *Store) listedBucket(ctx context.Context, name string) (*state.Bucket, error) {
	b, err := s.Bucket(ctx, name)
	if s3error.Is(err, "NoSuchBucket") {
		// The bucket was removed after it was listed.
		return nil, nil
	}
	if isCode(err, storage.ChecksumMismatch) || isCode(err, storage.PermissionDenied) {
		// The bucket belongs to another server, which does not encrypt its data or encrypts it with another key.
		return nil, nil
	}
	return b, err
}

// shownTime returns t, or the beginning of 1970 if t is unknown, because responses of S3 must have a time.
func shownTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return t
}

// isCode reports whether err has a code anywhere in its tree.
func isCode(err error, code storage.Code) bool { return err != nil && errors.Is(err, code) }

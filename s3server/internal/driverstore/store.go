// Package driverstore is the store that keeps everything in the buckets of a service: a directory,
// or a provider behind a gateway.
package driverstore

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/keylock"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A Store keeps everything in the buckets of a driver.ServiceDriver: objects under their keys, and
// records of data that the driver has no place for: settings, uploads and their parts. Everything
// that it keeps in memory can be read again, so that another process can continue at any time. A
// driver without a feature makes the operations that need it NotImplemented.
//
// Versions are the driver's. On this machine, those that were written while the bucket did not keep
// versions are null versions. There, the driver keeps versions also while S3's versioning is
// suspended, and a null version that was replaced is removed right afterwards.
type Store struct {
	Config

	mu   sync.Mutex
	open map[string]*driverBucket
	keys keylock.Locks
}

var _ state.Store = (*Store)(nil)

// A Config configures a [Store].
type Config struct {
	Service driver.ServiceDriver
	Now     func() time.Time // in UTC
	// Account, Region and Natural are the properties of buckets that this server did not make.
	Account, Region string
	Natural         state.Settings
}

// New returns a store of the buckets that the service has.
func New(c Config) *Store {
	return &Store{Config: c, open: map[string]*driverBucket{}}
}

// locate returns an open bucket, which need not exist.
func (s *Store) locate(name string) (*driverBucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.open[name]; b != nil {
		return b, nil
	}
	driver, err := s.Service.Driver(name)
	if err != nil {
		return nil, s3error.New("NoSuchBucket", "BucketName", name)
	}
	b := &driverBucket{name: name, store: s, driver: driver}
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

// bucketOf returns an open bucket with its settings. If the bucket was removed and made again,
// the new one is opened.
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
	r := &driver.BucketRequest{Name: b.Name, ObjectLock: b.Locking != nil}
	if b.Versioning == state.Enabled {
		r.Versioning = new(true)
	}
	switch _, err := s.Service.CreateBucket(ctx, r); {
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

// uncreate removes a bucket whose settings could not be stored, also if the client has
// disconnected. If the bucket has a record or an object by now, it stays.
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
		if err := b.update(ctx, old.bucket, &changed); err != nil {
			return err
		}
		err = b.write(ctx, &changed, old)
		if !isCode(err, storage.PreconditionFailed) { // otherwise another process was faster
			return err
		}
	}
	return s3error.New("OperationAborted")
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
		if others, err := r.hasOthers(ctx, b.keepsVersions()); err != nil || others {
			return cmp.Or(ErrorOf(err, b.name), error(s3error.New("BucketNotEmpty", "BucketName", b.name)))
		}
		if err := b.uploads.abortUploads(ctx); err != nil {
			return ErrorOf(err, b.name)
		}
		if err := r.removeAll(ctx, "", b.keepsVersions()); err != nil {
			return ErrorOf(err, b.name)
		}
	}
	if err := s.Service.DeleteBucket(ctx, b.name); err != nil {
		if b.records != nil && b.records.prefix != "" { // an object was written meanwhile
			return errors.Join(ErrorOf(err, b.name), b.write(ctx, settings, &cachedBucket{}))
		}
		return ErrorOf(err, b.name)
	}
	s.forget(b)
	return nil
}

func (s *Store) ListBuckets(ctx context.Context, from string, show func(*state.Bucket) bool) error {
	for token := ""; ; {
		page, next, err := s.Service.ListBuckets(ctx, token)
		if err != nil {
			return ErrorOf(err, "")
		}
		for _, info := range page {
			if info.Name < from {
				continue
			}
			b, err := s.Bucket(ctx, info.Name)
			switch {
			case s3error.Is(err, "NoSuchBucket"): // the bucket was removed meanwhile
				continue
			case isCode(err, storage.ChecksumMismatch),
				isCode(err, storage.PermissionDenied): // of another server, without encryption or with another key
				continue
			case err != nil:
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

// shownTime returns a time that S3 can show: 1970 if the time is not known.
func shownTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return t
}

func isCode(err error, code storage.Code) bool { return err != nil && errors.Is(err, code) }

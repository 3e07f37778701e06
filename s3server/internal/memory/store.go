// Package memory implements the store of the S3 server that keeps everything in memory.
package memory

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A Store keeps buckets, objects and uploads in memory. It implements [state.Store].
type Store struct {
	now    func() time.Time
	blobs  *blobs
	ledger *ledger

	mu      sync.RWMutex // not held while bytes are received or sent
	buckets btree.Map[string, *memoryBucket]
}

// A memoryBucket is a bucket with its objects, in the byte order of their keys, and its uploads.
// Store.mu guards it.
type memoryBucket struct {
	bucket  *state.Bucket
	keys    btree.Map[string, []*state.Version] // versions of each key: the newest first, and at least one
	uploads map[string]*memoryUpload            // by id
	writes  uint64
	ledger  *ledger // the store's ledger for everything but the content of objects
	counted int64   // bytes that the ledger counts for the settings
}

var _ state.Store = (*Store)(nil)

// New returns a store without buckets. The first argument is the store's clock, which must return
// the time in UTC. The second argument limits the bytes of objects and parts. 0 means no limit.
func New(now func() time.Time, maxBytes int64) *Store {
	return &Store{now: now, blobs: &blobs{bytes: ledger{limit: maxBytes}}, ledger: newLedger(maxBytes)}
}

// bucket returns the named bucket, or fails with NoSuchBucket. The caller must hold s.mu as long as it uses the bucket.
func (s *Store) bucket(name string) (*memoryBucket, error) {
	b, ok := s.buckets.Get(name)
	if !ok {
		return nil, s3error.New("NoSuchBucket", "BucketName", name)
	}
	return b, nil
}

// CreateBucket creates a bucket, unless there is one of this name.
func (s *Store) CreateBucket(_ context.Context, b *state.Bucket) (created bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.buckets.Get(b.Name); exists {
		return false, nil
	}

	cost := s.ledger.costOf(b) // bytes of memory
	if err := s.ledger.add(cost); err != nil {
		return false, err
	}
	s.buckets.Set(b.Name, &memoryBucket{
		bucket:  b,
		uploads: map[string]*memoryUpload{},
		ledger:  s.ledger,
		counted: cost,
	})
	return true, nil
}

// Bucket returns the settings of a bucket, which callers must not change.
func (s *Store) Bucket(_ context.Context, name string) (*state.Bucket, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(name)
	if err != nil {
		return nil, err
	}
	return b.bucket, nil
}

// ChangeBucket calls change with a copy of a bucket's settings, and then replaces the settings with the copy. If change
// fails, the settings stay.
func (s *Store) ChangeBucket(_ context.Context, name string, change func(*state.Bucket) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name)
	if err != nil {
		return err
	}

	changed := *b.bucket
	if err := change(&changed); err != nil {
		return err
	}

	// The ledger limits the memory, and counts the new settings instead of the old ones.
	cost := s.ledger.costOf(&changed)
	if err := s.ledger.add(cost - b.counted); err != nil {
		return err
	}
	b.bucket = &changed
	b.counted = cost
	return nil
}

// DeleteBucket removes a bucket that has no versions, and ends the uploads to it.
func (s *Store) DeleteBucket(_ context.Context, name string) error {
	unused, err := s.deleteBucket(name)
	s.blobs.release(unused)
	return err
}

// deleteBucket is DeleteBucket, but returns the content of the uploads, which the caller must release.
func (s *Store) deleteBucket(name string) (unused []piece, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name)
	if err != nil {
		return nil, err
	}
	if b.keys.Len() > 0 {
		return nil, s3error.New("BucketNotEmpty", "BucketName", name)
	}

	for _, u := range b.uploads {
		unused = append(unused, u.pieces()...)
		s.ledger.free(u.cost())
	}
	// Later calls about the uploads fail, because they no longer find the bucket.
	b.uploads = map[string]*memoryUpload{}

	s.ledger.free(b.counted)
	s.buckets.Delete(name)
	return unused, nil
}

// ListBuckets yields each bucket, in the order of names from start on. It holds s.mu until the loop ends.
func (s *Store) ListBuckets(_ context.Context, start string) iter.Seq2[*state.Bucket, error] {
	return func(yield func(*state.Bucket, error) bool) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		buckets := s.buckets.Iter()
		for ok := buckets.Seek(start); ok; ok = buckets.Next() {
			if !yield(buckets.Value().bucket, nil) {
				return
			}
		}
	}
}

package memstore

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
)

// A bucket holds objects in the order of their keys. Its lock is held only for work on the index,
// and never while a body is read, the clock is read or bytes are joined. Objects and the values of
// info are never changed, only replaced, so they can still be used after the lock is released.
type bucket struct {
	account   *account
	private   func() *account // account that contains the private objects of this bucket
	isRemoved atomic.Bool     // true if the bucket was removed; then writes fail. Set under mu.

	mu          sync.RWMutex
	info        storage.BucketInfo
	live        index                  // current objects, which a read without a version returns
	noncurrent  *btree.BTreeG[version] // noncurrent versions, by key, the newest first
	softDeleted *softDeleted           // removed objects that soft delete keeps; nil if there were none yet
	uploads     map[string]*upload     // uploads in progress, by name
	lastSweep   time.Time              // time of the last sweep of uploads
}

// newBucket returns an empty bucket of the account with these settings.
func newBucket(a *account, info storage.BucketInfo) *bucket {
	return &bucket{
		account:    a,
		private:    sync.OnceValue(func() *account { return newAccount(ServiceConfig{Now: a.now}) }),
		info:       info,
		live:       newIndex(),
		noncurrent: btree.NewBTreeGOptions(version.before, btree.Options{NoLocks: true}),
		uploads:    map[string]*upload{},
	}
}

// lock takes the results of the method open, as in lock(d.open(ctx)). If err is nil, it locks the
// bucket b and returns it. It fails as the method lock does.
func lock(b *bucket, err error) (*bucket, error) {
	if err != nil {
		return nil, err
	}
	if err := b.lock(); err != nil {
		return nil, err
	}
	return b, nil
}

// rlock is like lock, but locks the bucket for reading.
func rlock(b *bucket, err error) (*bucket, error) {
	if err != nil {
		return nil, err
	}
	if err := b.rlock(); err != nil {
		return nil, err
	}
	return b, nil
}

// lock locks the bucket. If the bucket was removed after it was found, lock fails with
// BucketNotFound, because a write would be lost.
func (b *bucket) lock() error {
	b.mu.Lock()
	if b.isRemoved.Load() {
		b.mu.Unlock()
		return storage.BucketNotFound
	}
	return nil
}

// rlock is like lock, but locks the bucket for reading.
func (b *bucket) rlock() error {
	b.mu.RLock()
	if b.isRemoved.Load() {
		b.mu.RUnlock()
		return storage.BucketNotFound
	}
	return nil
}

// find returns the current object of the key. If revision is not 0, find returns the version with
// that revision instead. It returns nil if no such version exists, or if it is a delete marker. The
// caller holds the lock.
func (b *bucket) find(key string, revision uint64) *object {
	current := b.live.get(key)
	if revision == 0 {
		return current
	}
	if current != nil && current.revision == revision {
		return current
	}
	v, ok := b.noncurrent.Get(version{position: position{key, revision}})
	if !ok || v.object.marker {
		return nil
	}
	return v.object
}

// swap makes o the current object of its key and gives it the next revision. If the condition does
// not hold, swap changes nothing and fails. The caller holds the write lock.
func (b *bucket) swap(o *object, c storage.Condition) error {
	if c != (storage.Condition{}) {
		if err := checkWrite(b.find(o.key, 0), c); err != nil {
			return err
		}
	}
	o.setRevision(b.account.writes.Add(1))
	old := b.live.set(o)
	if old == nil {
		return nil
	}
	if b.info.Versioning {
		b.addNoncurrent(old, o.modified)
		return nil
	}
	b.discard(old, o.modified)
	return nil
}

// remove removes the current object of the key. If revision is not 0, it permanently removes the
// version with that revision instead. The caller holds the write lock.
func (b *bucket) remove(r *driver.DeleteRequest, revision uint64, now time.Time) error {
	o := b.find(r.Key, revision)
	if o == nil {
		if r.Condition.Revision == "" {
			b.removeMissing(r.Key, revision, now)
		}
		return nil
	}
	if r.Condition.Revision != "" && r.Condition.Revision != o.revisionText() {
		return storage.PreconditionFailed
	}

	if revision == 0 && b.info.Versioning {
		b.live.remove(r.Key)
		b.addNoncurrent(o, now)
		b.mark(r.Key, now)
		return nil
	}

	// The removal of one version, or of the current object without versions, deletes bytes.
	extra := o.copyExtra()
	if err := lifetime.CheckRemoval(extra.retention, extra.hold, r.BypassGovernance, now); err != nil {
		return err
	}
	switch {
	case revision == 0:
		b.live.remove(r.Key)
	case o == b.live.get(r.Key):
		b.live.remove(r.Key)
		b.promote(r.Key)
	default:
		b.noncurrent.Delete(version{position: position{r.Key, revision}})
	}
	b.discard(o, now)
	return nil
}

// removeMissing handles a removal that finds no object. If revision is not 0, it removes the delete
// marker with that revision. Otherwise it adds a delete marker if the bucket keeps versions. The
// caller holds the write lock.
func (b *bucket) removeMissing(key string, revision uint64, now time.Time) {
	if revision == 0 {
		if b.info.Versioning {
			b.mark(key, now)
		}
		return
	}
	newest := b.newestNoncurrent(key)
	b.noncurrent.Delete(version{position: position{key, revision}})
	if b.live.get(key) == nil && newest != nil && newest.revision == revision {
		b.promote(key)
	}
}

// checkWrite fails with PreconditionFailed if the condition of a write does not hold for the
// current object of the key, which may be nil.
func checkWrite(current *object, c storage.Condition) error {
	if c.Absent && current != nil {
		return storage.PreconditionFailed
	}
	if c.Revision == "" {
		return nil
	}
	if current == nil || current.revisionText() != c.Revision {
		return storage.PreconditionFailed
	}
	return nil
}

// checkRead fails if the condition of a read does not hold for the object.
func checkRead(o *object, c storage.Condition) error {
	if c.Revision != "" && o.revisionText() != c.Revision {
		return storage.PreconditionFailed
	}
	if c.NotRevision != "" && o.revisionText() == c.NotRevision {
		return storage.NotModified
	}
	return nil
}

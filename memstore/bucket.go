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

// newBucket returns an empty bucket of the account with the settings in info.
func newBucket(a *account, info storage.BucketInfo) *bucket {
	// The private objects of the bucket are in an account of their own, which the first use makes.
	newPrivate := func() *account {
		return newAccount(ServiceConfig{Now: a.now})
	}
	return &bucket{
		account:    a,
		private:    sync.OnceValue(newPrivate),
		info:       info,
		live:       newIndex(),
		noncurrent: btree.NewBTreeGOptions(version.before, btree.Options{NoLocks: true}),
		uploads:    map[string]*upload{},
	}
}

// lock locks the bucket for writing. It fails with BucketNotFound if the bucket was removed after it
// was found, because the write would be lost.
func (b *bucket) lock() error {
	b.mu.Lock()
	if b.isRemoved.Load() {
		b.mu.Unlock()
		return storage.BucketNotFound
	}
	return nil
}

// rlock locks the bucket for reading. It fails with BucketNotFound if the bucket was removed after it
// was found.
func (b *bucket) rlock() error {
	b.mu.RLock()
	if b.isRemoved.Load() {
		b.mu.RUnlock()
		return storage.BucketNotFound
	}
	return nil
}

// find returns the current object of the key, or, if revision is not 0, the version with that
// revision. It returns nil if there is none, or if it is a delete marker. The caller holds the lock.
func (b *bucket) find(key string, revision uint64) *object {
	current := b.live.get(key)
	if revision == 0 {
		return current
	}
	if current != nil && current.revision == revision {
		return current
	}
	v, ok := b.noncurrent.Get(version{position: position{key: key, revision: revision}})
	if !ok || v.object.marker {
		return nil
	}
	return v.object
}

// setCurrent gives o the next revision and makes it the current object of its key, if the condition
// holds. The caller holds the write lock.
func (b *bucket) setCurrent(o *object, condition storage.Condition) error {
	if condition != (storage.Condition{}) {
		if err := checkWrite(b.live.get(o.key), condition); err != nil {
			return err
		}
	}

	o.setRevision(b.account.writes.Add(1))
	old := b.live.set(o)
	if old == nil {
		return nil
	}

	// The replaced object becomes a noncurrent version, or is dropped.
	if b.info.Versioning {
		b.addNoncurrent(old, o.modified)
		return nil
	}
	b.discard(old, o.modified)
	return nil
}

// remove removes the current object of the key, or, if revision is not 0, the version with that
// revision for good. The caller holds the write lock.
func (b *bucket) remove(r *driver.DeleteRequest, revision uint64, now time.Time) error {
	// The removal of a missing object succeeds, but may add or remove a delete marker.
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

	// In a bucket with versions, the object becomes a noncurrent version below a delete marker.
	hasNoVersion := revision == 0
	if hasNoVersion && b.info.Versioning {
		b.live.remove(r.Key)
		b.addNoncurrent(o, now)
		b.addDeleteMarker(r.Key, now)
		return nil
	}

	// From here on, the removal deletes bytes, so a lock of the object forbids it.
	extra := o.copyExtra()
	if err := lifetime.CheckRemoval(extra.retention, extra.hold, r.BypassGovernance, now); err != nil {
		return err
	}

	switch {
	case hasNoVersion:
		b.live.remove(r.Key)
	case o == b.live.get(r.Key):
		// The removed version is the current one, so the newest noncurrent version replaces it.
		b.live.remove(r.Key)
		b.promote(r.Key)
	default:
		b.noncurrent.Delete(version{position: position{key: r.Key, revision: revision}})
	}
	b.discard(o, now)
	return nil
}

// removeMissing performs a removal that has found no object. If revision is 0, the key has none, and a
// bucket with versions gets one more delete marker. Otherwise the revision may be that of a delete
// marker, which is removed. The caller holds the write lock.
func (b *bucket) removeMissing(key string, revision uint64, now time.Time) {
	if revision == 0 {
		if b.info.Versioning {
			b.addDeleteMarker(key, now)
		}
		return
	}

	newest := b.newestNoncurrent(key)
	b.noncurrent.Delete(version{position: position{key: key, revision: revision}})

	// If that was the newest delete marker, it hid the object. The version before it becomes current again.
	if b.live.get(key) == nil && newest != nil && newest.revision == revision {
		b.promote(key)
	}
}

// checkWrite fails with PreconditionFailed if the condition of a write does not hold for the
// current object of the key, which is nil if there is none.
func checkWrite(current *object, condition storage.Condition) error {
	if condition.Absent && current != nil {
		return storage.PreconditionFailed
	}
	if condition.Revision == "" {
		return nil
	}
	if current == nil || current.revisionText() != condition.Revision {
		return storage.PreconditionFailed
	}
	return nil
}

// checkRead fails with PreconditionFailed or NotModified if the condition of a read does not hold
// for the object.
func checkRead(o *object, condition storage.Condition) error {
	if condition.Revision != "" && o.revisionText() != condition.Revision {
		return storage.PreconditionFailed
	}
	if condition.NotRevision != "" && o.revisionText() == condition.NotRevision {
		return storage.NotModified
	}
	return nil
}

package memstore

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage"
)

// A bucket holds objects in the order of their keys. Its lock is held for index
// work alone: never while a body is read, a clock asked or bytes are joined.
// Objects and the values of info are replaced, never changed, so that what was
// found under the lock can be used without it.
type bucket struct {
	account *account
	gone    atomic.Bool // removed from the account; set under the lock: nothing may be written any more

	mu      sync.RWMutex
	info    storage.BucketInfo
	live    index                  // what a read without a version gets
	kept    *btree.BTreeG[version] // older versions: by key, newest first
	uploads map[string]*upload     // by name
	swept   time.Time              // when uploads were
}

func newBucket(a *account, info storage.BucketInfo) *bucket {
	return &bucket{
		account: a,
		info:    info,
		live:    newIndex(),
		kept:    btree.NewBTreeGOptions(version.before, btree.Options{NoLocks: true}),
		uploads: map[string]*upload{},
	}
}

// lock fails where the bucket was removed after it had been found: a write to
// it would succeed and be lost.
func (b *bucket) lock() error {
	b.mu.Lock()
	if b.gone.Load() {
		b.mu.Unlock()
		return storage.BucketNotFound
	}
	return nil
}

// rlock is lock for those who only look.
func (b *bucket) rlock() error {
	b.mu.RLock()
	if b.gone.Load() {
		b.mu.RUnlock()
		return storage.BucketNotFound
	}
	return nil
}

// find is the key's current object or, by a revision that is not 0, one of its
// versions; nil where it is not there. The lock is held.
func (b *bucket) find(key string, revision uint64) *object {
	o := b.live.get(key)
	if revision == 0 || o != nil && o.revision == revision {
		return o
	}
	v, _ := b.kept.Get(version{position: position{key, revision}})
	return v.object
}

// swap makes o the current object of its key, with the next revision, unless
// the condition forbids it. The write lock is held.
func (b *bucket) swap(o *object, c storage.Condition) error {
	if c != (storage.Condition{}) {
		if err := checkWrite(b.find(o.key, 0), c); err != nil {
			return err
		}
	}
	o.stamp(b.account.writes.Add(1))
	if old := b.live.set(o); old != nil && b.info.Versioning {
		b.keep(old, o.modified)
	}
	return nil
}

// remove takes the key's current object away, now, or, by a revision that is not
// 0, one of its versions for good. The write lock is held.
func (b *bucket) remove(key string, revision uint64, c storage.Condition, now time.Time) error {
	o := b.find(key, revision)
	if o == nil {
		return nil
	}
	if c.Revision != "" && c.Revision != o.revisionText() {
		return storage.PreconditionFailed
	}
	switch {
	case revision == 0:
		b.live.remove(key)
		if b.info.Versioning {
			b.keep(o, now)
		}
	case o == b.live.get(key):
		b.live.remove(key)
		b.promote(key)
	default:
		b.kept.Delete(version{position: position{key, revision}})
	}
	return nil
}

// checkWrite holds a write's condition against what the key has now.
func checkWrite(current *object, c storage.Condition) error {
	switch {
	case c.Absent && current != nil,
		c.Revision != "" && (current == nil || current.revisionText() != c.Revision):
		return storage.PreconditionFailed
	}
	return nil
}

// checkRead holds a read's condition against what is there.
func checkRead(o *object, c storage.Condition) error {
	switch {
	case c.Revision != "" && o.revisionText() != c.Revision:
		return storage.PreconditionFailed
	case c.NotRevision != "" && o.revisionText() == c.NotRevision:
		return storage.NotModified
	}
	return nil
}

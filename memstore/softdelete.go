package memstore

import (
	"strings"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A softDeleted has the removed objects that soft delete still keeps.
type softDeleted struct {
	objects *btree.BTreeG[version] // by key, the newest of a key first
	order   []version              // in the order of removal
}

// discard drops an object that was replaced or removed and is not kept as an old version. If the
// bucket has soft delete, it keeps the object for a time. The caller holds the write lock.
func (b *bucket) discard(o *object, now time.Time) {
	if b.softDeleted != nil {
		b.softDeleted.sweep(now)
	}
	hasSoftDelete := b.info.SoftDelete > 0
	if !hasSoftDelete {
		return
	}
	if b.softDeleted == nil {
		objects := btree.NewBTreeGOptions(version.before, btree.Options{NoLocks: true})
		b.softDeleted = &softDeleted{objects: objects}
	}
	removed := version{
		position: position{key: o.key, revision: o.revision},
		object:   o,
		since:    now,
		expires:  now.Add(b.info.SoftDelete),
	}

	// sweep finds the expired objects at the beginning of order.
	b.softDeleted.objects.Set(removed)
	b.softDeleted.order = append(b.softDeleted.order, removed)
}

// sweep drops the soft-deleted objects that have expired. They are at the beginning of s.order, which
// is in the order of removal.
func (s *softDeleted) sweep(now time.Time) {
	expired := 0
	for expired < len(s.order) && s.order[expired].hasExpired(now) {
		s.objects.Delete(s.order[expired])
		// The array must not keep the object in memory.
		s.order[expired] = version{}
		expired++
	}
	s.order = s.order[expired:]
}

// find returns the removed object of the key that is still kept at the time now: the one with the
// revision, or, if revision is 0, the newest one. It returns nil if there is none.
func (s *softDeleted) find(key string, revision uint64, now time.Time) *object {
	if s == nil {
		return nil
	}
	// The versions of a key are sorted, the newest first.
	versions := s.objects.Iter()
	for hasMore := versions.Seek(version{position: beforeKey(key)}); hasMore; hasMore = versions.Next() {
		v := versions.Item()
		if v.position.key != key {
			return nil
		}
		isWanted := revision == 0 || v.position.revision == revision
		if isWanted && !v.hasExpired(now) {
			return v.object
		}
	}
	return nil
}

// undelete restores a removed object, unless its key has an object again. The restored object is a
// new one with the same content, and the removed one stays in soft delete until it expires.
func (b *bucket) undelete(r *driver.ChangeRequest) error {
	revision, err := parseVersion(r.Version)
	if err != nil {
		return err
	}

	// The key must be free, and the removed object must still be there.
	now := b.account.time()
	if err := b.lock(); err != nil {
		return err
	}
	defer b.mu.Unlock()

	if b.live.get(r.Key) != nil {
		return storage.PreconditionFailed
	}
	src := b.softDeleted.find(r.Key, revision, now)
	if src == nil {
		return storage.ObjectNotFound
	}

	// Store a new object with the same content.
	o := newObject(r.Key, src.data, src.Properties, &storage.Controls{Tags: src.copyExtra().tags}, src.crc32c)
	o.modified = now
	if err := b.applyLockRules(o); err != nil {
		return err
	}
	return b.setCurrent(o, storage.Condition{Absent: true})
}

// listRemoved returns a page of the removed objects that soft delete still keeps at the time now.
// The caller holds the lock.
func (b *bucket) listRemoved(r *driver.ListRequest, pos position, now time.Time) *driver.VersionPage {
	page := &driver.VersionPage{}
	if b.softDeleted == nil {
		return page
	}

	// Begin at the first removed object after pos that can have the prefix.
	start := pos.notBefore(r.Prefix)
	var last position // of the last entry of the page
	versions := b.softDeleted.objects.Iter()
	for hasMore := versions.Seek(version{position: start}); hasMore; hasMore = versions.Next() {
		v := versions.Item()
		if !strings.HasPrefix(v.position.key, r.Prefix) {
			return page
		}
		wasListed := v.position == start
		if wasListed || v.hasExpired(now) {
			continue
		}
		if len(page.Entries) == r.Limit {
			page.Token = last.token()
			return page
		}

		entry := storage.VersionEntry{
			Version:          v.object.revisionText(),
			NoncurrentSince:  v.since,
			SoftDeletedUntil: v.expires,
		}
		v.object.describe(&entry.ListEntry)
		page.Entries = append(page.Entries, entry)
		last = v.position
	}
	return page
}

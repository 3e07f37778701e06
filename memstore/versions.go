package memstore

import (
	"context"
	"strings"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
)

// A version is a noncurrent version of an object, a delete marker, or a removed object that soft
// delete keeps.
type version struct {
	position position
	object   *object
	since    time.Time // time at which it became noncurrent or was removed; for a marker, when it was written
	expires  time.Time // time at which soft delete drops it; zero for other versions
}

// hasExpired reports whether soft delete no longer keeps v at the time now.
func (v version) hasExpired(now time.Time) bool { return !now.Before(v.expires) }

// before reports whether v is listed before w: keys ascend, and the newest version of a key is
// first.
func (v version) before(w version) bool {
	if v.position.key != w.position.key {
		return v.position.key < w.position.key
	}
	return v.position.revision > w.position.revision
}

// addNoncurrent adds o to the noncurrent versions. now is the time at which o became noncurrent. The caller
// holds the write lock.
func (b *bucket) addNoncurrent(o *object, now time.Time) {
	b.noncurrent.Set(version{position: position{key: o.key, revision: o.revision}, object: o, since: now})
}

// addDeleteMarker adds a delete marker to the key. The marker is newer than all versions of the key. The
// caller holds the write lock.
func (b *bucket) addDeleteMarker(key string, now time.Time) {
	o := &object{key: key, modified: now, marker: true}
	o.setRevision(b.account.writes.Add(1))
	b.addNoncurrent(o, now)
}

// promote makes the newest noncurrent version of the key the current object, unless there is none
// or it is a delete marker. The caller holds the write lock.
func (b *bucket) promote(key string) {
	newest := b.newestNoncurrent(key)
	if newest == nil || newest.marker {
		return
	}
	b.noncurrent.Delete(version{position: position{key: key, revision: newest.revision}})
	b.live.set(newest)
}

// newestNoncurrent returns the newest noncurrent version or delete marker of a key, or nil.
func (b *bucket) newestNoncurrent(key string) *object {
	// The first item from this position is the newest of the key, or belongs to a later key.
	versions := b.noncurrent.Iter()
	if !versions.Seek(version{position: beforeKey(key)}) {
		return nil
	}
	first := versions.Item()
	if first.position.key != key {
		return nil
	}
	return first.object
}

// ListVersions returns a page of current objects, noncurrent versions, delete markers and common
// prefixes. Current objects have no version if versioning is off, but noncurrent versions always
// have one, because nothing else can select them.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	pos, err := startAfter(r)
	if err != nil {
		return nil, err
	}
	// Read the time before the lock is taken.
	var now time.Time
	if r.SoftDeleted {
		now = d.account.time()
	}
	b, err := d.openToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()

	if r.SoftDeleted {
		return b.listRemoved(r, pos, now), nil
	}
	return b.listVersions(r, pos), nil
}

// listVersions returns the page of versions after pos, with one entry for all keys that share a
// common prefix up to the delimiter. The caller holds the lock.
func (b *bucket) listVersions(r *driver.ListRequest, pos position) *driver.VersionPage {
	// Begin at the first version after pos that can have the prefix. If pos is in a common prefix, the
	// page before has ended with that prefix.
	all := b.history()
	lastPrefix, isInPrefix := objectkey.CommonPrefix(pos.key, r.Prefix, r.Delimiter)
	if isInPrefix {
		all.seekPast(lastPrefix)
	} else {
		all.seek(pos.notBefore(r.Prefix))
	}

	page := &driver.VersionPage{}
	var last position // of the last entry of the page
	for {
		o, noncurrentSince := all.object()
		if o == nil || !strings.HasPrefix(o.key, r.Prefix) {
			return page
		}
		if len(page.Entries) == r.Limit {
			page.Token = last.token()
			return page
		}

		// All keys with a common prefix have one entry.
		common, isPrefix := objectkey.CommonPrefix(o.key, r.Prefix, r.Delimiter)
		if isPrefix {
			entry := storage.ListEntry{Key: common, IsPrefix: true}
			page.Entries = append(page.Entries, storage.VersionEntry{ListEntry: entry})
			last = position{key: common}
			all.seekPast(common)
			continue
		}

		page.Entries = append(page.Entries, b.versionEntry(o, noncurrentSince))
		last = position{key: o.key, revision: o.revision}
		all.next()
	}
}

// versionEntry returns the entry of a current object, a noncurrent version or a delete marker. For a
// current object, noncurrentSince is zero.
func (b *bucket) versionEntry(o *object, noncurrentSince time.Time) storage.VersionEntry {
	if o.marker {
		entry := storage.ListEntry{Key: o.key, Modified: o.modified}
		return storage.VersionEntry{ListEntry: entry, Version: o.revisionText(), IsDeleteMarker: true}
	}
	isCurrent := noncurrentSince.IsZero()
	entry := storage.VersionEntry{Current: isCurrent, NoncurrentSince: noncurrentSince}
	o.describe(&entry.ListEntry)

	// Without versioning, a current object has no version.
	if !isCurrent || b.info.Versioning {
		entry.Version = entry.Revision
	}
	return entry
}

// A history iterates over current objects and noncurrent versions together, by key and from newest
// to oldest. The current object of a key is newer than all its noncurrent versions.
type history struct {
	live                      btree.MapIter[string, *slot]
	noncurrent                btree.IterG[version]
	hasCurrent, hasNoncurrent bool
}

// history returns an iterator, which seek must move first. The caller holds the lock while using it.
func (b *bucket) history() *history {
	return &history{live: b.live.iter(), noncurrent: b.noncurrent.Iter()}
}

// seek moves to the first object after p. The older objects of a key come after the newer ones.
func (h *history) seek(p position) {
	// Skip a current object that is at p or, because it is newer, before p.
	h.hasCurrent = h.live.Seek(p.key)
	if h.hasCurrent && h.live.Key() == p.key && h.live.Value().object.revision >= p.revision {
		h.hasCurrent = h.live.Next()
	}

	h.hasNoncurrent = h.noncurrent.Seek(version{position: p})
	if h.hasNoncurrent && h.noncurrent.Item().position == p {
		h.hasNoncurrent = h.noncurrent.Next()
	}
}

// seekPast moves to the first object after all keys with the prefix.
func (h *history) seekPast(prefix string) {
	next, exists := objectkey.PrefixEnd(prefix)
	if !exists {
		// No key can follow.
		h.hasCurrent = false
		h.hasNoncurrent = false
		return
	}
	h.seek(beforeKey(next))
}

// object returns the object at which the iterator is, or nil at the end. noncurrentSince is the time
// when the object became noncurrent, and zero for a current object.
func (h *history) object() (o *object, noncurrentSince time.Time) {
	if h.isAtCurrent() {
		return h.live.Value().object, time.Time{}
	}
	if h.hasNoncurrent {
		item := h.noncurrent.Item()
		return item.object, item.since
	}
	return nil, time.Time{}
}

// next moves to the next object.
func (h *history) next() {
	if h.isAtCurrent() {
		h.hasCurrent = h.live.Next()
	} else if h.hasNoncurrent {
		h.hasNoncurrent = h.noncurrent.Next()
	}
}

// isAtCurrent reports whether the object at the iterator is a current one. The current object of a
// key comes before its noncurrent versions.
func (h *history) isAtCurrent() bool {
	if !h.hasCurrent || !h.hasNoncurrent {
		return h.hasCurrent
	}
	return h.live.Key() <= h.noncurrent.Item().position.key
}

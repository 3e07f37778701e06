package memstore

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage"
)

// A version is an object that is kept, but not current.
type version struct {
	position
	object *object
	since  time.Time // when it ceased to be current
}

// before orders versions as they are listed.
func (v version) before(w version) bool {
	if v.key != w.key {
		return v.key < w.key
	}
	return v.revision > w.revision
}

// keep makes o an older version, from now on. The write lock is held.
func (b *bucket) keep(o *object, now time.Time) {
	b.kept.Set(version{position{o.key, o.revision}, o, now})
}

// promote makes the newest older version, if any, the current one. The write
// lock is held.
func (b *bucket) promote(key string) {
	var newest version
	b.kept.Ascend(version{position: position{key, math.MaxUint64}}, func(v version) bool {
		newest = v
		return false
	})
	if newest.object != nil && newest.key == key {
		b.kept.Delete(newest)
		b.live.set(newest.object)
	}
}

// ListVersions lists current objects and older versions, with prefixes as List
// has them. Where versions are off a current object has no version, and an
// older one that is still kept has: nothing else reaches it.
func (d *driver) ListVersions(ctx context.Context, r *storage.ListRequest) (*storage.VersionPage, error) {
	after, err := startAfter(r)
	if err != nil {
		return nil, err
	}
	b, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.rlock(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	return b.listVersions(r, after), nil
}

func (b *bucket) listVersions(r *storage.ListRequest, after position) *storage.VersionPage {
	page := &storage.VersionPage{}
	var last position
	all := b.history()
	if after.key >= r.Prefix {
		all.seek(after)
	} else {
		all.seek(atFirst(r.Prefix))
	}
	for o, since := all.object(); o != nil && strings.HasPrefix(o.key, r.Prefix); o, since = all.object() {
		entry, at := b.versionEntry(o, since), position{o.key, o.revision}
		common, isPrefix := commonPrefix(o.key, r.Prefix, r.Delimiter)
		if isPrefix {
			entry = storage.VersionEntry{ListEntry: storage.ListEntry{Key: common, IsPrefix: true}}
			at = position{key: common}
		}
		if !isPrefix || common > after.key {
			if len(page.Entries) == r.Limit {
				page.Token = last.token()
				break
			}
			page.Entries, last = append(page.Entries, entry), at
		}
		if !isPrefix {
			all.next()
			continue
		}
		next, exists := behind(common)
		if !exists {
			break
		}
		all.seek(atFirst(next))
	}
	return page
}

func (b *bucket) versionEntry(o *object, since time.Time) storage.VersionEntry {
	entry := storage.VersionEntry{ListEntry: o.entry(), Current: since.IsZero(), OldSince: since}
	if !entry.Current || b.info.Versioning {
		entry.Version = entry.Revision
	}
	return entry
}

// atFirst is the position before everything from key on.
func atFirst(key string) position { return position{key, math.MaxUint64} }

// A history walks current objects and older versions as one: by key, newest
// first. A key's current object is newer than all its older versions.
type history struct {
	live               btree.MapIter[string, *slot]
	kept               btree.IterG[version]
	moreLive, moreKept bool
}

func (b *bucket) history() *history {
	return &history{live: b.live.iter(), kept: b.kept.Iter()}
}

// seek goes to what comes after p.
func (h *history) seek(p position) {
	h.moreLive = h.live.Seek(p.key)
	if h.moreLive && h.live.Key() == p.key && h.live.Value().object.revision >= p.revision {
		h.moreLive = h.live.Next()
	}
	h.moreKept = h.kept.Seek(version{position: p})
	if h.moreKept && h.kept.Item().position == p {
		h.moreKept = h.kept.Next()
	}
}

// object is the one under way, and since when it is not current, or zero; nil at
// the end.
func (h *history) object() (o *object, since time.Time) {
	switch {
	case h.atLive():
		return h.live.Value().object, since
	case h.moreKept:
		return h.kept.Item().object, h.kept.Item().since
	}
	return nil, since
}

func (h *history) next() {
	if h.atLive() {
		h.moreLive = h.live.Next()
	} else if h.moreKept {
		h.moreKept = h.kept.Next()
	}
}

func (h *history) atLive() bool {
	return h.moreLive && (!h.moreKept || h.live.Key() <= h.kept.Item().key)
}

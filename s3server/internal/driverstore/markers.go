package driverstore

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// markerSuffix is the end of the id of a delete marker that only S3 shows. The driver has no such
// delete marker in two cases. Some drivers never store delete markers. In a local bucket, another
// program may have removed the object's file. In both cases, the driver lists only the removed
// version.
//
// The id of the delete marker is the id of the removed version, followed by markerSuffix. Removing
// the marker copies the version to its key, which restores the object.
const markerSuffix = ".d"

func isMarkerID(id string) bool { return strings.HasSuffix(id, markerSuffix) }

// A listedEntry is a version that the driver lists, or a delete marker that only S3 shows (see
// markerSuffix).
type listedEntry struct {
	*storage.VersionEntry
	id         string
	marker     bool // true for a delete marker
	modified   time.Time
	isLatest   bool
	isReplaced bool   // true for a null version that a newer null version has replaced; S3 no longer shows it
	account    string // account that owns the bucket
}

// versions yields versions, delete markers and common prefixes in the order in which S3 lists them, until an error. The
// sequence advances r, so it can be used only once.
func (n *driverNames) versions(ctx context.Context, r *driver.ListRequest) iter.Seq2[*listedEntry, error] {
	return withoutReplaced(n.storedVersions(ctx, r))
}

// withoutReplaced returns the entries without the null versions that were replaced.
func withoutReplaced(entries iter.Seq2[*listedEntry, error]) iter.Seq2[*listedEntry, error] {
	return func(yield func(*listedEntry, error) bool) {
		for e, err := range entries {
			isReplaced := err == nil && e.isReplaced
			if isReplaced {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// storedVersions is like versions, but includes null versions that were replaced. Its first request is for at most
// r.Limit entries, and further ones are for pageLimit.
func (n *driverNames) storedVersions(ctx context.Context, r *driver.ListRequest) iter.Seq2[*listedEntry, error] {
	return func(yield func(*listedEntry, error) bool) {
		var k keyVersions
		// A limit of 0 means the largest one.
		r.Limit = min(cmp.Or(r.Limit, pageLimit), pageLimit)
		for {
			page, err := n.bucket.driver.ListVersions(ctx, r)
			if err != nil {
				yield(nil, storageerror.ToS3(err, n.bucket.name))
				return
			}
			for i := range page.Entries {
				if isRecord(page.Entries[i].Key) {
					continue
				}
				entry := k.add(n.bucket, &page.Entries[i])
				for e := range entry.withMarker {
					if !yield(e, nil) {
						return
					}
				}
			}

			if page.Token == "" {
				return
			}
			r.Token = page.Token
			r.Limit = pageLimit
		}
	}
}

// keyVersions describes the versions of one key that a listing has reached, the newest first.
type keyVersions struct {
	last    *storage.VersionEntry // nil before the first version
	hasNull bool                  // true if a null version is among them
}

// add adds the next version of a listing to k, and returns it as S3 shows it. The versions before it tell whether it is
// the latest one of its key, and whether it is a null version that was replaced.
func (k *keyVersions) add(b *driverBucket, e *storage.VersionEntry) *listedEntry {
	isNextKey := k.last != nil && k.last.Key != e.Key
	if isNextKey {
		*k = keyVersions{}
	}
	entry := &listedEntry{
		VersionEntry: e,
		id:           b.shownVersion(e.Version, e.Modified),
		marker:       e.IsDeleteMarker,
		modified:     e.Modified,
		isLatest:     k.last == nil,
		account:      b.owner(),
	}

	// S3 shows only the newest null version of a key. The older ones were replaced.
	if entry.id == state.NullVersion {
		entry.isReplaced = k.hasNull
		k.hasNull = true
	}
	k.last = e
	return entry
}

// withMarker yields a listed version, and before it the delete marker that the driver does not store, if S3 shows one
// (see markerSuffix). S3 does if the latest version is not current, because its object was removed.
func (e *listedEntry) withMarker(yield func(*listedEntry) bool) {
	isRemoved := e.isLatest && !e.Current && !e.marker && !e.IsPrefix
	if !isRemoved {
		yield(e)
		return
	}

	// The removal, which is the time of the marker, made the version noncurrent.
	marker := *e
	marker.id = e.id + markerSuffix
	marker.marker = true
	marker.modified = e.NoncurrentSince
	if marker.modified.IsZero() {
		marker.modified = e.Modified
	}
	if !yield(&marker) {
		return
	}

	// The marker is now the latest version.
	e.isLatest = false
	yield(e)
}

// versionsOf yields the versions of one key, the newest first, until an error.
func (n *driverNames) versionsOf(ctx context.Context, key string) iter.Seq2[*listedEntry, error] {
	if !n.bucket.has(storage.Versioning) {
		return func(func(*listedEntry, error) bool) {} // no version
	}
	return withoutReplaced(n.storedVersionsOf(ctx, key))
}

// storedVersionsOf is like versionsOf, but includes null versions that newer ones have replaced.
func (n *driverNames) storedVersionsOf(ctx context.Context, key string) iter.Seq2[*listedEntry, error] {
	const firstPage = 10 // a key seldom has more versions
	return func(yield func(*listedEntry, error) bool) {
		// The listing may also have longer keys, which follow.
		name := n.bucket.naming().Escape(key)
		for e, err := range n.storedVersions(ctx, &driver.ListRequest{Prefix: name, Limit: firstPage}) {
			if err != nil {
				yield(nil, err)
				return
			}
			if e.Key > name {
				return
			}
			if e.Key == name && !yield(e, nil) {
				return
			}
		}
	}
}

// findMarker returns the delete marker with an id, or the one that is the newest version of the key if id is "". It
// returns nil if there is none.
func (n *driverNames) findMarker(ctx context.Context, key, id string) (*state.Version, error) {
	if !n.bucket.keepsVersions() {
		return nil, nil
	}
	if id == "" {
		return n.newestMarker(ctx, key)
	}
	for e, err := range n.versionsOf(ctx, key) {
		if err != nil {
			return nil, err
		}
		if e.marker && e.id == id {
			return e.markerVersion(key), nil
		}
	}
	return nil, nil
}

// newestMarker returns the newest version of a key if it is a delete marker, or else nil.
func (n *driverNames) newestMarker(ctx context.Context, key string) (*state.Version, error) {
	for e, err := range n.versionsOf(ctx, key) {
		if err != nil {
			return nil, err
		}
		// The first version is the newest.
		if e.marker {
			return e.markerVersion(key), nil
		}
		return nil, nil
	}
	return nil, nil
}

// markerVersion returns the delete marker of a key as clients see it.
func (e *listedEntry) markerVersion(key string) *state.Version {
	return &state.Version{
		Key:      key,
		ID:       e.id,
		Modified: shownTime(e.modified),
		Marker:   true,
		Object:   state.Object{Account: e.account},
	}
}

// removeImplied removes a delete marker that only S3 shows and the driver does not have (see markerSuffix). S3 shows
// the marker because the driver has only noncurrent versions of the key. Therefore, removeImplied makes the newest of
// them the current object again, unless there is another one.
func (b *driverBucket) removeImplied(ctx context.Context, r *state.RemoveRequest) (state.Removal, error) {
	// S3 shows the marker only while it is the newest version of the key.
	newest, err := b.names.findMarker(ctx, r.Key, "")
	if err != nil {
		return state.Removal{}, err
	}
	if newest == nil || newest.ID != r.ID {
		return state.Removal{ID: r.ID, Missing: true}, nil
	}

	// The id of the marker is that of the removed version with markerSuffix.
	removedID := strings.TrimSuffix(r.ID, markerSuffix)
	v, err := b.find(ctx, r.Key, removedID)
	if err != nil {
		return state.Removal{ID: r.ID}, err
	}
	if v == nil {
		// The version was removed in the meantime, and the marker with it.
		return state.Removal{ID: r.ID}, nil
	}
	defer handleOf(v).close()

	if err := b.restoreVersion(ctx, v); err != nil {
		return state.Removal{}, storageerror.ToS3(err, r.Key)
	}
	return state.Removal{Marker: true, ID: r.ID}, nil
}

// restoreVersion makes a noncurrent version the current one, unless the key has a current object. Because drivers
// cannot move a version, it copies the version and then removes the old one, unless a lock forbids that.
func (b *driverBucket) restoreVersion(ctx context.Context, v *state.Version) error {
	attrs := handleOf(v).attrs
	tags, err := b.tags(ctx, attrs, &driver.GetRequest{Key: attrs.Key, Version: attrs.Version})
	if err != nil {
		return err
	}

	// The condition lets the copy fail if the key has a current object.
	source := b.driver.Locate(attrs.Key)
	source.Version = attrs.Version
	source.Revision = attrs.Revision
	source.Attrs = attrs
	_, err = b.driver.Copy(ctx, &driver.CopyRequest{
		Source:      source,
		Key:         attrs.Key,
		Properties:  attrs.Properties,
		Replace:     true,
		ReplaceTags: true,
		Condition:   storage.Condition{Absent: true},
		Controls:    storage.Controls{Tags: tags, Retention: attrs.Retention, LegalHold: attrs.LegalHold},
	})
	if err != nil {
		return err
	}

	// The old version is now a duplicate of the current one.
	const bypassGovernance = true
	isLocked := v.Object.Lock.CheckRemoval(b.store.Now(), bypassGovernance) != nil
	if isLocked {
		return nil
	}
	return b.driver.Delete(ctx, &driver.DeleteRequest{Key: attrs.Key, Version: attrs.Version, BypassGovernance: true})
}

package driverstore

import (
	"cmp"
	"context"
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

// eachVersion calls f with versions, delete markers and common prefixes until f returns false. They
// are in the order in which S3 lists them.
func (n *driverNames) eachVersion(
	ctx context.Context, r *driver.ListRequest, f func(*listedEntry) (bool, error),
) error {
	return n.eachStored(ctx, r, skipReplaced(f))
}

// skipReplaced returns a function that calls f, except for null versions that were replaced.
func skipReplaced(f func(*listedEntry) (bool, error)) func(*listedEntry) (bool, error) {
	return func(e *listedEntry) (bool, error) {
		if e.isReplaced {
			return true, nil
		}
		return f(e)
	}
}

// eachStored calls f with versions, delete markers and common prefixes, like eachVersion, but also with null versions
// that were replaced. Its first request is for at most r.Limit entries, and further ones are for pageLimit.
func (n *driverNames) eachStored(ctx context.Context, r *driver.ListRequest, f func(*listedEntry) (bool, error)) error {
	var k keyVersions
	r.Limit = min(cmp.Or(r.Limit, pageLimit), pageLimit)
	for ; ; r.Limit = pageLimit {
		page, err := n.bucket.driver.ListVersions(ctx, r)
		if err != nil {
			return storageerror.ToS3(err, n.bucket.name)
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if isRecord(e.Key) {
				continue
			}
			entry := k.next(n.bucket, e)
			if hasMore, err := showVersions(entry, f); err != nil || !hasMore {
				return err
			}
		}

		r.Token = page.Token
		if r.Token == "" {
			return nil
		}
	}
}

// keyVersions describes the versions of one key that a listing has reached, the newest first.
type keyVersions struct {
	last    *storage.VersionEntry // nil before the first version
	hasNull bool                  // true if a null version is among them
}

// next returns the entry of a listing that follows the versions of k, and adds it to k. The first version of another
// key empties k before.
func (k *keyVersions) next(b *driverBucket, e *storage.VersionEntry) *listedEntry {
	if k.last != nil && k.last.Key != e.Key {
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

// showVersions calls f with a version. If the latest version is not current, its object was removed, and showVersions
// first calls f with the delete marker that the driver does not store (see markerSuffix).
func showVersions(e *listedEntry, f func(*listedEntry) (bool, error)) (hasMore bool, err error) {
	isRemoved := e.isLatest && !e.Current && !e.marker && !e.IsPrefix
	if !isRemoved {
		return f(e)
	}

	marker := *e
	marker.id = e.id + markerSuffix
	marker.marker = true
	marker.modified = e.NoncurrentSince
	if marker.modified.IsZero() {
		marker.modified = e.Modified
	}
	if hasMore, err := f(&marker); err != nil || !hasMore {
		return false, err
	}
	e.isLatest = false // the marker is
	return f(e)
}

// versionsOf calls f with the versions of one key, the newest first.
func (n *driverNames) versionsOf(ctx context.Context, key string, f func(*listedEntry) (bool, error)) error {
	if !n.bucket.has(storage.Versioning) {
		return nil
	}
	return n.storedVersionsOf(ctx, key, skipReplaced(f))
}

// storedVersionsOf is like versionsOf, but includes null versions that newer ones have replaced.
func (n *driverNames) storedVersionsOf(ctx context.Context, key string, f func(*listedEntry) (bool, error)) error {
	// A key seldom has more versions. The listing may also have longer keys, which follow.
	const firstPage = 10
	name := n.bucket.naming().Escape(key)
	return n.eachStored(ctx, &driver.ListRequest{Prefix: name, Limit: firstPage}, func(e *listedEntry) (bool, error) {
		if e.Key == name {
			return f(e)
		}
		isBehind := e.Key > name // so no more versions of the key follow
		return !isBehind, nil
	})
}

// findMarker returns the delete marker with an id, or the one that is the newest version of the key if id is "". It
// returns nil if there is none.
func (n *driverNames) findMarker(ctx context.Context, key, id string) (found *state.Version, err error) {
	if !n.bucket.keepsVersions() {
		return nil, nil
	}
	err = n.versionsOf(ctx, key, func(e *listedEntry) (bool, error) {
		if e.marker && (id == "" || e.id == id) {
			found = e.markerVersion(key)
		}
		isNewestOnly := id == "" // then look at the first version only
		return found == nil && !isNewestOnly, nil
	})
	return found, err
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

// removeImplied removes a delete marker that only S3 shows and the driver does not have (see markerSuffix). To do so,
// it makes the removed version of the key the current object again, unless there is another one.
func (b *driverBucket) removeImplied(ctx context.Context, r *state.RemoveRequest) (state.Removal, error) {
	newest, err := b.names.findMarker(ctx, r.Key, "")
	if err != nil {
		return state.Removal{}, err
	}
	if newest == nil || newest.ID != r.ID {
		return state.Removal{ID: r.ID, Missing: true}, nil
	}

	// The id of the marker is that of the removed version with markerSuffix.
	v, err := b.find(ctx, r.Key, strings.TrimSuffix(r.ID, markerSuffix))
	if err != nil {
		return state.Removal{ID: r.ID}, err
	}
	if v == nil {
		return state.Removal{ID: r.ID}, nil // the version was removed in the meantime, and the marker with it
	}
	defer heldObjectOf(v).close()
	if err := b.restoreVersion(ctx, v); err != nil {
		return state.Removal{}, storageerror.ToS3(err, r.Key)
	}
	return state.Removal{Marker: true, ID: r.ID}, nil
}

// restoreVersion makes a noncurrent version the current one, unless the key has a current object. Because drivers
// cannot move a version, it copies the version and then removes the old one, unless a lock forbids that.
func (b *driverBucket) restoreVersion(ctx context.Context, v *state.Version) error {
	attrs := heldObjectOf(v).attrs
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

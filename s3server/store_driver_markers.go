package s3server

import (
	"context"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A driver may have no delete markers: its removed objects are noncurrent versions, and no version
// of their key is current. S3 shows a marker there, whose id is that of the removed version with
// this suffix. To remove the marker is to restore the version, by a copy onto its key, which keeps
// the id in reserved metadata.
const markerSuffix = ".d"

func isMarkerID(id string) bool { return strings.HasSuffix(id, markerSuffix) }

// A listedEntry is a version of the driver, or a marker that it implies.
type listedEntry struct {
	*storage.VersionEntry
	id      string
	marker  bool
	at      time.Time
	latest  bool
	account string // of the bucket
}

// eachVersion calls f with versions and common prefixes, in the order of S3, until f returns false.
func (b *driverBucket) eachVersion(ctx context.Context, r *storage.ListRequest, f func(*listedEntry) (bool, error)) error {
	var newer *storage.VersionEntry
	r.Limit = pageLimit
	for {
		page, err := b.driver.ListVersions(ctx, r)
		if err != nil {
			return driverError(err, b.name)
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if newer != nil && newer.Key != e.Key {
				newer = nil
			}
			if isRecord(e.Key) {
				continue
			}
			if more, err := b.showVersions(e, newer, f); err != nil || !more {
				return err
			}
			newer = e
		}
		if r.Token = page.Token; r.Token == "" {
			return nil
		}
	}
}

// showVersions shows a version after the marker that it implies.
func (b *driverBucket) showVersions(e, newer *storage.VersionEntry, f func(*listedEntry) (bool, error)) (bool, error) {
	shown := listedEntry{VersionEntry: e, id: b.shownVersion(e.Version, e.Modified), marker: e.IsDeleteMarker, at: e.Modified, latest: newer == nil, account: b.owner()}
	if e.IsPrefix {
		return f(&shown)
	}
	if at, removed := b.removedAt(e, newer); removed {
		marker := listedEntry{VersionEntry: e, id: shown.id + markerSuffix, marker: true, at: at, latest: newer == nil, account: shown.account}
		if more, err := f(&marker); err != nil || !more {
			return false, err
		}
		shown.latest = false
	}
	return f(&shown)
}

// removedAt reports whether a version was removed, and not replaced by a newer one.
func (b *driverBucket) removedAt(e, newer *storage.VersionEntry) (time.Time, bool) {
	switch {
	case e.Current || e.IsDeleteMarker || newer != nil && newer.IsDeleteMarker:
		return time.Time{}, false
	case newer == nil && e.NoncurrentSince.IsZero():
		return e.Modified, true
	case newer == nil:
		return e.NoncurrentSince, true
	case b.description().Provider != "local" || e.NoncurrentSince.IsZero(): // only local tells removed and replaced apart
		return time.Time{}, false
	}
	return e.NoncurrentSince, true
}

// versionsOf calls f with the versions of one key, the newest first.
func (b *driverBucket) versionsOf(ctx context.Context, key string, f func(*listedEntry) (bool, error)) error {
	if !b.has(storage.Versioning) {
		return nil
	}
	name := escapeKey(key)
	return b.eachVersion(ctx, &storage.ListRequest{Prefix: name}, func(e *listedEntry) (bool, error) {
		if e.Key != name {
			return e.Key < name, nil
		}
		return f(e)
	})
}

// currentMarker returns the delete marker of a key without a current object, or nil.
func (b *driverBucket) currentMarker(ctx context.Context, key string) (found *version, err error) {
	if !b.keepsVersions() {
		return nil, nil
	}
	err = b.versionsOf(ctx, key, func(e *listedEntry) (bool, error) {
		if e.marker {
			found = e.markerVersion(key)
		}
		return false, nil
	})
	return found, err
}

// findMarker returns the marker of the version with an id, or nil.
func (b *driverBucket) findMarker(ctx context.Context, key, of string) (found *version, err error) {
	err = b.versionsOf(ctx, key, func(e *listedEntry) (bool, error) {
		if e.marker && e.id == of+markerSuffix {
			found = e.markerVersion(key)
		}
		return found == nil, nil
	})
	return found, err
}

func (e *listedEntry) markerVersion(key string) *version {
	return &version{key: key, id: e.id, modified: shownTime(e.at), marker: true, object: object{account: e.account}}
}

// removeMarker restores the version that was removed. That is only possible while its key has no
// current object: markers of the past cannot be removed.
func (b *driverBucket) removeMarker(ctx context.Context, r *removeRequest, now time.Time) (removal, error) {
	of := strings.TrimSuffix(r.id, markerSuffix)
	marker, err := b.findMarker(ctx, r.key, of)
	if err != nil {
		return removal{}, err
	}
	if marker == nil {
		return removal{id: r.id, missing: true}, nil
	}
	current, err := b.currentMarker(ctx, r.key)
	if err != nil {
		return removal{}, err
	}
	if current == nil || current.id != r.id {
		return removal{}, newError("NotImplemented").withMessage("This server cannot remove a delete marker that is not the current version")
	}
	v, err := b.find(ctx, r.key, of)
	if err != nil || v == nil {
		return removal{id: r.id}, err
	}
	defer held(v).close()
	if err := b.restoreVersion(ctx, v, of, now); err != nil {
		return removal{}, driverError(err, r.key)
	}
	return removal{marker: true, id: r.id}, nil
}

// restoreVersion makes a noncurrent version with an id the current one. If a lock keeps the version
// where it is, the current one is another version with its own id.
func (b *driverBucket) restoreVersion(ctx context.Context, v *version, id string, now time.Time) error {
	a := held(v).attrs
	stays := v.lock.checkRemoval(now, true) != nil
	kept, _ := url.ParseQuery(a.Metadata[reservedName])
	switch {
	case stays:
		kept.Del(keptVersion)
	case !kept.Has(keptVersion):
		kept.Set(keptVersion, id)
	}
	p := a.Properties
	p.Metadata = maps.Clone(p.Metadata)
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	p.Metadata[reservedName] = kept.Encode()
	tags, err := b.tags(ctx, a, &storage.GetRequest{Key: a.Key, Version: a.Version})
	if err != nil {
		return err
	}
	source := b.driver.Locate(a.Key)
	source.Version, source.Revision, source.Attrs = a.Version, a.Revision, a
	_, err = b.driver.Copy(ctx, &storage.CopyRequest{
		Source: source, Key: a.Key, Properties: p, Replace: true, ReplaceTags: true, Condition: storage.Condition{Absent: true},
		Controls: storage.Controls{Tags: tags, Retention: a.Retention, LegalHold: a.LegalHold},
	})
	if err != nil || stays {
		return err
	}
	return b.driver.Delete(ctx, &storage.DeleteRequest{Key: a.Key, Version: a.Version, BypassGovernance: true})
}

// findRestored returns the version that has an id since it was restored, or nil.
func (b *driverBucket) findRestored(ctx context.Context, key, id string) (found *version, err error) {
	if !b.keepsVersions() || !b.keepsETags() {
		return nil, nil
	}
	err = b.versionsOf(ctx, key, func(e *listedEntry) (bool, error) {
		if e.marker {
			return true, nil
		}
		a, err := b.driver.Head(ctx, &storage.GetRequest{Key: e.Key, Version: e.Version, Length: -1})
		if err != nil {
			return true, unless(err, storage.ObjectNotFound)
		}
		kept, _ := url.ParseQuery(a.Metadata[reservedName])
		if kept.Get(keptVersion) == id {
			found, err = b.find(ctx, key, b.shownVersion(e.Version, e.Modified))
		}
		return found == nil, err
	})
	return found, driverError(err, key)
}

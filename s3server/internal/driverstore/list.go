package driverstore

import (
	"cmp"
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// pageLimit is the maximum number of entries that a listing requests from a driver at a time.
const pageLimit = 1000

// pageOf returns the maximum number of entries to request from a driver at a time.
func pageOf(d *driver.Description) int {
	if d.MaxPage > 0 {
		return min(pageLimit, d.MaxPage)
	}
	return pageLimit
}

// driverNames lists the objects and versions of a bucket.
type driverNames struct{ bucket *driverBucket }

// eachName calls f with the entries of a driver's listing until f returns false or the listing ends. r.Limit is the
// number of entries that the caller needs, but eachName may call f more often, because f may omit entries. If it does,
// the next request is for the missing entries and some more.
func (n *driverNames) eachName(ctx context.Context, r *driver.ListRequest, f func(*storage.ListEntry) bool) error {
	const reserve = pageLimit / 10
	d := n.bucket.description()
	// Clients continue a listing after the last key, so the driver must list in a known order.
	if !d.FolderOrder && !n.bucket.has(storage.OrderedListing) {
		return storageerror.ToS3(storage.Unsupported, n.bucket.name)
	}

	// If f omits entries, one page is not enough: the loop asks for what is missing.
	limit := pageOf(d)
	remaining := r.Limit
	if remaining > 0 {
		limit = min(limit, remaining)
	}
	for ; ; remaining -= len(r.Entries) {
		r.Limit = limit
		if remaining > 0 {
			r.Limit = min(limit, remaining+reserve)
		}

		page, err := n.bucket.driver.List(ctx, r)
		if err != nil {
			return storageerror.ToS3(err, n.bucket.name)
		}
		for i := range page.Entries {
			if !f(&page.Entries[i]) {
				return nil
			}
		}

		r.Token = page.Token
		if r.Token == "" {
			return nil
		}
		r.Entries = page.Entries // the driver reuses the slice
	}
}

// A driverListing makes one page of a listing that a client requests.
type driverListing struct {
	listing state.Listing
	names   *driverNames
	// show is called with a version, or with a common prefix and v == nil. isLatest is true for the
	// newest version of a key.
	show       func(v *state.Version, isLatest bool, common string)
	startAfter string // common prefix that an earlier page has shown
	lastPrefix string // common prefix of the entry that was shown last, or ""
	count      int
	hasMore    bool
}

// acceptName reports whether a driver's name belongs on the page and was not shown yet, and returns its S3 key and, if
// the key has one, its common prefix. It sets l.hasMore if the page is full.
func (l *driverListing) acceptName(name string, isPrefix bool) (key, common string, ok bool) {
	key, ok = l.names.bucket.naming().Unescape(name, isPrefix)
	if !ok || isRecord(name) || !strings.HasPrefix(key, l.listing.Prefix) {
		return "", "", false
	}

	// A page shows a common prefix once, and not if the page before has shown it.
	common, isCommon := l.listing.CommonPrefix(key)
	isShown := isCommon && (common == l.lastPrefix || common == l.startAfter)
	isBelowShown := l.startAfter != "" && strings.HasPrefix(key, l.startAfter)
	if isShown || isBelowShown {
		return "", "", false
	}
	if l.count == l.listing.Max {
		l.hasMore = true
		return "", "", false
	}
	l.count++
	l.lastPrefix = common
	return key, common, true
}

// add shows an entry if it belongs on the page, and returns false if the page is full.
func (l *driverListing) add(ctx context.Context, e *listedEntry) (bool, error) {
	key, common, ok := l.acceptName(e.Key, e.IsPrefix)
	if !ok {
		return !l.hasMore, nil
	}
	if common != "" {
		l.show(nil, false, common)
		return true, nil
	}
	if e.marker {
		l.show(e.markerVersion(key), e.isLatest, "")
		return true, nil
	}

	// The listing has too few attributes for S3, so entry may ask the driver.
	v, err := l.names.entry(ctx, key, e.VersionEntry)
	isGone := v == nil && err == nil
	if isGone && e.isLatest && e.id == state.NullVersion {
		// A newer null version may have replaced this version.
		v, err = l.names.bucket.find(ctx, key, e.id)
		defer l.names.bucket.store.Release(v)
	}
	if v == nil {
		// acceptName has counted the entry, but the object was removed since, or its attributes cannot be read.
		l.count--
		return err == nil, err
	}
	l.show(v, e.isLatest, "")
	return true, nil
}

// List calls show with each object, or common prefix, of the page that follows a position.
func (s *Store) List(
	ctx context.Context, bucket string, l state.Listing, pos state.Position,
	show func(v *state.Version, common string),
) (hasMore bool, err error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return false, err
	}
	if l.Max == 0 {
		return false, nil
	}

	page := &driverListing{
		listing: l,
		names:   &b.names,
		show: func(v *state.Version, _ bool, common string) {
			show(v, common)
		},
	}
	if pos.Prefix {
		page.startAfter = pos.Key
	}

	// The page may begin within a common prefix. The walk then shows the names after the position.
	if err := page.finishPrefix(ctx, pos.Key, b.names.walk); err != nil {
		return false, err
	}

	add := func(e *listedEntry) (bool, error) { return page.add(ctx, e) }
	_, err = b.names.walk(l, pos.Key, add).run(ctx)
	return page.hasMore, err
}

// finishPrefix begins a page that follows a key. If the key is within a common prefix that has later keys, it shows the
// common prefix again, as S3 does, because the walk shows only names after the key.
func (l *driverListing) finishPrefix(
	ctx context.Context, key string, walk func(state.Listing, string, func(*listedEntry) (bool, error)) *nameWalk,
) error {
	common, isPrefix := l.listing.CommonPrefix(key)
	if !isPrefix || l.startAfter != "" || l.lastPrefix == common {
		return nil
	}
	l.startAfter = common
	showCommon := func(*listedEntry) (bool, error) {
		l.count++
		l.show(nil, false, common)
		return false, nil
	}
	_, err := walk(state.Listing{Prefix: common, Max: 1}, key, showCommon).run(ctx)
	return err
}

// entry returns the version of an entry of the driver, or nil and no error if the object is gone. If the server stores
// the entity tags itself, entry reads the object's attributes, which have the entity tag and the checksum.
func (n *driverNames) entry(ctx context.Context, key string, e *storage.VersionEntry) (*state.Version, error) {
	// The listing has all attributes that clients see, so no other request is needed.
	if !n.bucket.keepsETags() {
		return &state.Version{
			Key:      key,
			ID:       n.bucket.shownVersion(e.Version, e.Modified),
			Modified: shownTime(e.Modified),
			Object: state.Object{
				Size:       e.Size,
				ETag:       n.bucket.etagOf(e.ETag, e.Revision),
				Account:    n.bucket.owner(),
				Properties: state.Properties{Class: cmp.Or(e.StorageClass, state.Standard)},
			},
		}, nil
	}

	attrs, err := n.bucket.driver.Head(ctx, &driver.GetRequest{Key: e.Key, Version: e.Version, Length: -1})
	if err != nil {
		return nil, ignoreCode(storageerror.ToS3(err, key), storage.ObjectNotFound)
	}
	tags, err := n.bucket.tags(ctx, attrs, &driver.GetRequest{Key: e.Key, Version: e.Version})
	if err != nil {
		return nil, ignoreCode(storageerror.ToS3(err, key), storage.ObjectNotFound)
	}
	return n.bucket.version(key, attrs, tags), nil
}

// ListVersions calls show with each version, or common prefix, of the page that follows a position. In a bucket without
// versioning, each object is the null version of its key.
func (s *Store) ListVersions(
	ctx context.Context, bucket string, l state.Listing, pos state.VersionPosition,
	show func(v *state.Version, isLatest bool, common string),
) (hasMore bool, err error) {
	b, settings, err := s.bucketOf(ctx, bucket)
	if err != nil || l.Max == 0 {
		return false, err
	}

	// A provider may list versions although nobody has enabled versioning through this server. Then show only
	// the current objects, as null versions.
	neverVersioned := settings.Versioning == "" && !b.ownStore()
	if neverVersioned || !b.has(storage.Versioning) {
		showNull := func(v *state.Version, common string) {
			if v != nil {
				v.ID = state.NullVersion
			}
			show(v, true, common)
		}
		return s.List(ctx, bucket, l, state.Position{Key: pos.Key}, showNull)
	}

	page := &driverListing{listing: l, names: &b.names, show: show}
	if common, isPrefix := l.CommonPrefix(pos.Key); isPrefix && common == pos.Key {
		page.startAfter = common
	}
	// The page before may have ended within the versions of a key.
	isInKey := pos.ID != "" && page.startAfter == ""
	if isInKey && strings.HasPrefix(pos.Key, l.Prefix) {
		if err := page.showRest(ctx, pos); err != nil || page.hasMore {
			return page.hasMore, err
		}
	}

	// The page before may also have ended within a common prefix.
	if err := page.finishPrefix(ctx, pos.Key, b.names.walkVersions); err != nil {
		return false, err
	}
	add := func(e *listedEntry) (bool, error) { return page.add(ctx, e) }
	_, err = b.names.walkVersions(l, pos.Key, add).run(ctx)
	return page.hasMore, err
}

// showRest shows the versions of a key that follow pos, the position of the last version that was shown before.
func (l *driverListing) showRest(ctx context.Context, pos state.VersionPosition) error {
	// The versions that follow in a local bucket are those with smaller ids, even if the version pos.ID was removed. In
	// other buckets, they are those that the driver lists after pos.ID.
	isOrdered := l.names.bucket.description().Provider == "local" && pos.ID != state.NullVersion
	isRest := false
	return l.names.versionsOf(ctx, pos.Key, func(e *listedEntry) (bool, error) {
		isLastShown := e.id == pos.ID
		if isOrdered && e.Version < pos.ID && !isLastShown {
			isRest = true
		}
		if isRest {
			return l.add(ctx, e)
		}
		isRest = isLastShown
		return true, nil
	})
}

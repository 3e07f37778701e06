package driverstore

import (
	"cmp"
	"context"
	"iter"
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

// entries yields the entries of a driver's listing, until an error. r.Limit is the number of entries that the caller
// needs, or 0. Because the caller may omit entries, there may be more. The sequence advances r, so it can be used only
// once.
func (n *driverNames) entries(ctx context.Context, r *driver.ListRequest) iter.Seq2[*storage.ListEntry, error] {
	return func(yield func(*storage.ListEntry, error) bool) {
		d := n.bucket.description()
		// Clients continue a listing after the last key, so the driver must list in a known order.
		if !d.FolderOrder && !n.bucket.has(storage.OrderedListing) {
			yield(nil, storageerror.ToS3(storage.Unsupported, n.bucket.name))
			return
		}

		limit := pageOf(d)
		missing := r.Limit
		if missing > 0 {
			limit = min(limit, missing)
		}
		r.Limit = limit
		for {
			page, err := n.bucket.driver.List(ctx, r)
			if err != nil {
				yield(nil, storageerror.ToS3(err, n.bucket.name))
				return
			}
			for i := range page.Entries {
				if !yield(&page.Entries[i], nil) {
					return
				}
			}

			r.Token = page.Token
			if r.Token == "" {
				return
			}
			// The driver reuses the slice for the next page.
			r.Entries = page.Entries

			missing -= len(page.Entries)
			r.Limit = nextLimit(missing, limit)
		}
	}
}

// nextLimit returns the limit of a further request for entries, which is at most limit, the size of a page. missing is
// the number of entries that the caller still needs. The request asks for a few more, because the caller may omit some.
func nextLimit(missing, limit int) int {
	const reserve = pageLimit / 10
	if missing <= 0 {
		// No entry would be missing if the caller had not omitted some. Nobody knows how many will follow.
		return limit
	}
	return min(limit, missing+reserve)
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

// unshownKey returns the S3 key of a driver's name and, if the key has one, its common prefix. It returns false if the
// listing does not show the name, or has already shown it in a common prefix.
func (l *driverListing) unshownKey(name string, isPrefix bool) (key, common string, ok bool) {
	key, ok = l.names.bucket.naming().Unescape(name, isPrefix)
	if !ok || isRecord(name) || !strings.HasPrefix(key, l.listing.Prefix) {
		return "", "", false
	}

	// A listing shows a common prefix only once, in place of all keys that begin with it.
	common, isCommon := l.listing.CommonPrefix(key)
	isRepeated := isCommon && common == l.lastPrefix
	isOfPageBefore := l.startAfter != "" && strings.HasPrefix(key, l.startAfter)
	if isRepeated || isOfPageBefore {
		return "", "", false
	}
	return key, common, true
}

// add shows an entry if it belongs on the page, and reports whether the page has room for more entries.
func (l *driverListing) add(ctx context.Context, e *listedEntry) (hasRoom bool, err error) {
	key, common, ok := l.unshownKey(e.Key, e.IsPrefix)
	if !ok {
		return true, nil
	}
	isFull := l.count == l.listing.Max
	if isFull {
		// The entry belongs on the next page.
		l.hasMore = true
		return false, nil
	}

	l.count++
	l.lastPrefix = common
	if common != "" {
		l.showPrefix(common)
		return true, nil
	}
	if e.marker {
		l.show(e.markerVersion(key), e.isLatest, "")
		return true, nil
	}

	v, err := l.names.listedVersion(ctx, key, e)
	if v == nil {
		// The object was removed since it was listed, or its attributes cannot be read.
		l.count--
		hasRoom = err == nil
		return hasRoom, err
	}
	l.show(v, e.isLatest, "")
	return true, nil
}

// showPrefix shows a common prefix.
func (l *driverListing) showPrefix(common string) { l.show(nil, false, common) }

// listedVersion returns the version of an entry, or nil and no error if the object is gone. If a newer null version has
// replaced the latest one since the driver listed it, the result is the newer version.
func (n *driverNames) listedVersion(ctx context.Context, key string, e *listedEntry) (*state.Version, error) {
	v, err := n.entry(ctx, key, e.VersionEntry)
	isGone := v == nil && err == nil
	mayBeReplaced := e.isLatest && e.id == state.NullVersion
	if !isGone || !mayBeReplaced {
		return v, err
	}

	v, err = n.bucket.find(ctx, key, e.id)
	n.bucket.store.Release(v) // a listing needs no body
	return v, err
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
		// The page before ends with this common prefix.
		page.startAfter = pos.Key
	}
	return page.showAfter(ctx, pos.Key, b.names.newWalk)
}

// A walkFunc returns the walk that calls show with the names of a listing that follow a key. It is driverNames.newWalk
// or driverNames.newVersionWalk.
type walkFunc func(l state.Listing, startAfter string, show func(*listedEntry) (bool, error)) *nameWalk

// showAfter shows the names that follow a key, until the page is full, and reports whether there are more.
func (l *driverListing) showAfter(ctx context.Context, key string, walk walkFunc) (hasMore bool, err error) {
	if err := l.repeatPrefix(ctx, key, walk); err != nil {
		return false, err
	}
	add := func(e *listedEntry) (bool, error) { return l.add(ctx, e) }
	_, err = walk(l.listing, key, add).run(ctx)
	return l.hasMore, err
}

// repeatPrefix begins a page that follows a key. As on S3, if the key is within a common prefix that has later keys,
// the page begins with this common prefix, even if an earlier page has shown it.
func (l *driverListing) repeatPrefix(ctx context.Context, key string, walk walkFunc) error {
	common, isPrefix := l.listing.CommonPrefix(key)
	if !isPrefix || l.startAfter != "" || l.lastPrefix == common {
		return nil
	}

	// One entry shows that the common prefix has a later key.
	l.startAfter = common
	showCommon := func(*listedEntry) (bool, error) {
		l.count++
		l.showPrefix(common)
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
		// The object may be gone, which is not an error.
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

	// A provider may list versions although nobody has enabled versioning through this server.
	neverVersioned := settings.Versioning == "" && !b.ownStore()
	if neverVersioned || !b.has(storage.Versioning) {
		return s.listNull(ctx, bucket, l, pos.Key, show)
	}

	page := &driverListing{listing: l, names: &b.names, show: show}

	// If the page before has ended with a common prefix, no key in the prefix is shown again.
	common, isPrefix := l.CommonPrefix(pos.Key)
	isAfterPrefix := isPrefix && common == pos.Key
	if isAfterPrefix {
		page.startAfter = common
	}

	// If the page before has ended within the versions of a key, its other versions come first.
	isInKey := pos.ID != "" && page.startAfter == ""
	if isInKey && strings.HasPrefix(pos.Key, l.Prefix) {
		err := page.showRest(ctx, pos)
		if err != nil || page.hasMore {
			return page.hasMore, err
		}
	}
	return page.showAfter(ctx, pos.Key, b.names.newVersionWalk)
}

// listNull lists a bucket without versioning. It calls show with each current object of the page that follows a key, as
// the null version of its key, and with each common prefix.
func (s *Store) listNull(
	ctx context.Context, bucket string, l state.Listing, key string,
	show func(v *state.Version, isLatest bool, common string),
) (hasMore bool, err error) {
	showNull := func(v *state.Version, common string) {
		if v != nil {
			v.ID = state.NullVersion
		}
		show(v, true, common)
	}
	return s.List(ctx, bucket, l, state.Position{Key: key}, showNull)
}

// showRest shows the versions of a key that follow pos, the position of the last version that was shown before.
func (l *driverListing) showRest(ctx context.Context, pos state.VersionPosition) error {
	// The versions that follow in a local bucket are those with smaller ids, even if the version pos.ID was removed. In
	// other buckets, they are those that the driver lists after pos.ID.
	isOrdered := l.names.bucket.description().Provider == "local" && pos.ID != state.NullVersion
	isPast := false // true after the versions that were shown before
	for e, err := range l.names.versionsOf(ctx, pos.Key) {
		if err != nil {
			return err
		}
		if !isPast && e.id == pos.ID {
			// This version was shown last, so the next one follows it.
			isPast = true
			continue
		}
		if isOrdered && e.Version < pos.ID {
			isPast = true
		}
		if !isPast {
			continue
		}

		hasRoom, err := l.add(ctx, e)
		if err != nil || !hasRoom {
			return err
		}
	}
	return nil
}

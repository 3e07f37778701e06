package driverstore

import (
	"cmp"
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// pageLimit is the largest page that a driver is asked for.
const pageLimit = 1000

// pageOf returns the largest page that a driver takes.
func pageOf(d *driver.Description) int {
	if d.MaxPage > 0 {
		return min(pageLimit, d.MaxPage)
	}
	return pageLimit
}

// driverNames lists the objects of a bucket.
type driverNames struct{ bucket *driverBucket }

// eachName calls f with the entries of a driver's listing until f returns false. f does so after r.Limit
// entries, unless it leaves some out. The page after a full one is small, because it only shows whether there
// are more entries.
func (n *driverNames) eachName(ctx context.Context, r *driver.ListRequest, f func(*storage.ListEntry) bool) error {
	d := n.bucket.description()
	if !d.FolderOrder && !n.bucket.has(storage.OrderedListing) { // clients continue after the last key
		return ErrorOf(storage.Unsupported, n.bucket.name)
	}
	limit, wanted := pageOf(d), r.Limit
	if wanted > 0 {
		limit = min(limit, wanted)
	}
	for ; ; wanted -= len(r.Entries) {
		r.Limit = limit
		if wanted > 0 {
			r.Limit = min(limit, wanted+pageLimit/10)
		}
		page, err := n.bucket.driver.List(ctx, r)
		if err != nil {
			return ErrorOf(err, n.bucket.name)
		}
		for i := range page.Entries {
			if !f(&page.Entries[i]) {
				return nil
			}
		}
		if r.Token = page.Token; r.Token == "" {
			return nil
		}
		r.Entries = page.Entries
	}
}

// A driverListing collects one page.
type driverListing struct {
	listing state.Listing
	names   *driverNames
	show    func(v *state.Version, latest bool, common string) // shows a version, or a common prefix if v is nil
	after   string                                             // a common prefix that was shown before this page
	last    string                                             // the entry that was shown last
	shown   int
	more    bool
}

// accepts reports whether a key or common prefix must be shown next, and as which common
// prefix. It sets more if the page is full.
func (l *driverListing) accepts(name string, isPrefix bool) (key, common string, ok bool) {
	key, ok = l.names.bucket.naming().Unescape(name, isPrefix)
	if !ok || isRecord(name) || !strings.HasPrefix(key, l.listing.Prefix) {
		return "", "", false
	}
	common, rolled := l.listing.CommonPrefix(key)
	if rolled && (common == l.last || common == l.after) || l.after != "" && strings.HasPrefix(key, l.after) {
		return "", "", false
	}
	if l.shown == l.listing.Max {
		l.more = true
		return "", "", false
	}
	l.shown++
	l.last = common
	return key, common, true
}

// add shows an entry if the page accepts it, and reports whether the page may take more.
func (l *driverListing) add(ctx context.Context, e *listedEntry) (bool, error) {
	key, common, ok := l.accepts(e.Key, e.IsPrefix)
	if !ok {
		return !l.more, nil
	}
	var v *state.Version
	var err error
	switch {
	case common != "":
	case e.marker:
		v = e.markerVersion(key)
	default:
		if v, err = l.names.entry(ctx, key, e.VersionEntry); v == nil && err == nil && e.latest &&
			e.id == state.NullVersion {
			v, err = l.names.bucket.find(ctx, key, e.id) // another version may have replaced it
			defer l.names.bucket.store.Release(v)
		}
		if v == nil { // the object was removed meanwhile
			l.shown--
			return err == nil, err
		}
	}
	l.show(v, common == "" && e.latest, common)
	return true, nil
}

func (s *Store) List(
	ctx context.Context, bucket string, l state.Listing, after state.Position,
	show func(v *state.Version, common string),
) (more bool, err error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return false, err
	}
	if l.Max == 0 {
		return false, nil
	}
	page := &driverListing{
		listing: l, names: &b.names, show: func(v *state.Version, _ bool, common string) { show(v, common) },
	}
	if after.Prefix {
		page.after = after.Key
	}
	if err := page.finishPrefix(ctx, after.Key, b.names.walk); err != nil {
		return false, err
	}
	_, err = b.names.walk(l, after.Key, func(e *listedEntry) (bool, error) { return page.add(ctx, e) }).run(ctx)
	return page.more, err
}

// finishPrefix is for a page that begins after a key. If there are later keys with the common
// prefix of that key, it shows the prefix once more: the walk leaves it out, because the prefix
// is less than the key.
func (l *driverListing) finishPrefix(
	ctx context.Context, key string, walk func(state.Listing, string, func(*listedEntry) (bool, error)) *nameWalk,
) error {
	common, rolled := l.listing.CommonPrefix(key)
	if !rolled || l.after != "" || l.last == common {
		return nil
	}
	l.after = common
	_, err := walk(state.Listing{Prefix: common, Max: 1}, key, func(*listedEntry) (bool, error) {
		l.shown++
		l.show(nil, false, common)
		return false, nil
	}).run(ctx)
	return err
}

// entry returns the version of an entry. If the store is on this machine, it reads the object,
// which has the entity tag and the checksum. It returns nil if the object is gone.
func (n *driverNames) entry(ctx context.Context, key string, e *storage.VersionEntry) (*state.Version, error) {
	if !n.bucket.keepsETags() {
		v := &state.Version{Key: key, ID: n.bucket.shownVersion(e.Version, e.Modified), Modified: shownTime(e.Modified)}
		v.Object.Size, v.Object.ETag, v.Object.Account = e.Size, n.bucket.etagOf(e.ETag, e.Revision), n.bucket.owner()
		v.Object.Properties.Class = cmp.Or(e.StorageClass, state.Standard)
		return v, nil
	}
	a, err := n.bucket.driver.Head(ctx, &driver.GetRequest{Key: e.Key, Version: e.Version, Length: -1})
	if err != nil {
		return nil, unless(ErrorOf(err, key), storage.ObjectNotFound)
	}
	tags, err := n.bucket.tags(ctx, a, &driver.GetRequest{Key: e.Key, Version: e.Version})
	if err != nil {
		return nil, unless(ErrorOf(err, key), storage.ObjectNotFound)
	}
	return n.bucket.version(key, a, tags), nil
}

func (s *Store) ListVersions(
	ctx context.Context, bucket string, l state.Listing, after state.VersionPosition,
	show func(v *state.Version, latest bool, common string),
) (more bool, err error) {
	b, settings, err := s.bucketOf(ctx, bucket)
	if err != nil || l.Max == 0 {
		return false, err
	}
	if !b.has(storage.Versioning) || settings.Versioning == "" && !b.ownStore() {
		return s.List(
			ctx, bucket, l, state.Position{Key: after.Key, Prefix: false},
			func(v *state.Version, common string) {
				if v != nil {
					v.ID = state.NullVersion
				}
				show(v, true, common)
			},
		)
	}
	page := &driverListing{listing: l, names: &b.names, show: show}
	if common, rolled := l.CommonPrefix(after.Key); rolled && common == after.Key {
		page.after = common
	}
	if after.ID != "" && page.after == "" && strings.HasPrefix(after.Key, l.Prefix) {
		if err := page.rest(ctx, after); err != nil || page.more {
			return page.more, err
		}
	}
	if err := page.finishPrefix(ctx, after.Key, b.names.walkVersions); err != nil {
		return false, err
	}
	_, err = b.names.walkVersions(l, after.Key, func(e *listedEntry) (bool, error) { return page.add(ctx, e) }).run(ctx)
	return page.more, err
}

// rest shows the versions of a key after one of them.
func (l *driverListing) rest(ctx context.Context, after state.VersionPosition) error {
	found, ordered := false, l.names.bucket.description().Provider == "local" // whose ids descend
	return l.names.versionsOf(ctx, after.Key, func(e *listedEntry) (bool, error) {
		gone := ordered && after.ID != state.NullVersion && e.Version < after.ID && e.id != after.ID
		if found || gone {
			found = true
			return l.add(ctx, e)
		}
		found = e.id == after.ID
		return true, nil
	})
}

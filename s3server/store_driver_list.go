package s3server

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/keyname"
)

// pageLimit is the largest page that a driver is asked for.
const pageLimit = 1000

// pageOf returns the largest page that a driver takes.
func pageOf(d *storage.Description) int {
	if d.MaxPage > 0 {
		return min(pageLimit, d.MaxPage)
	}
	return pageLimit
}

// driverNames lists the objects of a bucket.
type driverNames struct{ bucket *driverBucket }

// eachName calls f with the entries of a driver's listing until f returns false.
func (n *driverNames) eachName(ctx context.Context, r *storage.ListRequest, f func(*storage.ListEntry) bool) error {
	limit := pageOf(n.bucket.description())
	if r.Limit == 0 || r.Limit > limit {
		r.Limit = limit
	}
	for {
		page, err := n.bucket.driver.List(ctx, r)
		if err != nil {
			return driverError(err, n.bucket.name)
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
	listing listing
	names   keyname.Naming
	after   string // a common prefix that was shown before this page
	last    string // that was shown last
	shown   int
	more    bool
}

// accepts reports whether a key or common prefix is to be shown next, and with which common
// prefix. It sets more if the page is full.
func (l *driverListing) accepts(name string, isPrefix bool) (key, common string, ok bool) {
	key, ok = l.names.Unescape(name, isPrefix)
	if !ok || isRecord(name) || !strings.HasPrefix(key, l.listing.prefix) {
		return "", "", false
	}
	common, rolled := l.listing.commonPrefix(key)
	if rolled && (common == l.last || common == l.after) || l.after != "" && strings.HasPrefix(key, l.after) {
		return "", "", false
	}
	if l.shown == l.listing.max {
		l.more = true
		return "", "", false
	}
	l.shown++
	l.last = common
	return key, common, true
}

func (s *driverStore) list(ctx context.Context, bucket string, l listing, after position, show func(v *version, common string)) (more bool, err error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return false, err
	}
	page := &driverListing{listing: l, names: b.naming()}
	if l.max == 0 {
		return false, nil
	}
	if l.isSorted() {
		return b.names.listSorted(ctx, l, after, show)
	}
	if after.prefix {
		page.after = after.key
	}
	if err := b.names.finishPrefix(ctx, page, after, show); err != nil {
		return false, err
	}
	_, err = b.names.walk(l, after.key, func(e *listedEntry) (bool, error) {
		key, common, ok := page.accepts(e.Key, e.IsPrefix)
		if !ok {
			return !page.more, nil
		}
		if common != "" {
			show(nil, common)
			return true, nil
		}
		v, err := b.names.entry(ctx, key, e.VersionEntry)
		if v == nil { // removed meanwhile
			page.shown--
			return err == nil, err
		}
		show(v, "")
		return true, nil
	}).run(ctx)
	return page.more, err
}

// finishPrefix shows the common prefix of a key once more after which a page begins, if there are
// later keys with the prefix. The walk leaves it out, because it is less than the key.
func (n *driverNames) finishPrefix(ctx context.Context, page *driverListing, after position, show func(v *version, common string)) error {
	common, rolled := page.listing.commonPrefix(after.key)
	if !rolled || after.prefix {
		return nil
	}
	page.after = common
	_, err := n.walk(listing{prefix: common, max: 1}, after.key, func(*listedEntry) (bool, error) {
		page.shown++
		show(nil, common)
		return false, nil
	}).run(ctx)
	return err
}

// entry returns the version of an entry. On this machine it reads the object, which has the entity
// tag and the checksum; nil if it is gone.
func (n *driverNames) entry(ctx context.Context, key string, e *storage.VersionEntry) (*version, error) {
	if !n.bucket.keepsETags() {
		v := &version{key: key, id: n.bucket.shownVersion(e.Version, e.Modified), modified: shownTime(e.Modified)}
		v.object.size, v.object.etag, v.object.properties.class, v.object.account = e.Size, n.bucket.etagOf(e.ETag, e.Revision), standard, n.bucket.owner()
		return v, nil
	}
	a, err := n.bucket.driver.Head(ctx, &storage.GetRequest{Key: e.Key, Version: e.Version, Length: -1})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, driverError(err, key)
	}
	tags, err := n.bucket.tags(ctx, a, &storage.GetRequest{Key: e.Key, Version: e.Version})
	if err != nil {
		return nil, unless(driverError(err, key), storage.ObjectNotFound)
	}
	return n.bucket.version(key, a, tags), nil
}

func (s *driverStore) listVersions(ctx context.Context, bucket string, l listing, after versionPosition, show func(v *version, latest bool, common string)) (more bool, err error) {
	b, settings, err := s.bucketOf(ctx, bucket)
	if err != nil || l.max == 0 {
		return false, err
	}
	if !b.has(storage.Versioning) || settings.versioning == "" && !b.description().Local {
		return s.list(ctx, bucket, l, position{key: after.key, prefix: false}, func(v *version, common string) {
			if v != nil {
				v.id = nullVersion
			}
			show(v, true, common)
		})
	}
	if l.isSorted() {
		return b.names.listVersionsSorted(ctx, l, after, show)
	}
	p := &versionListing{driverListing: driverListing{listing: l, names: b.naming()}, bucket: b, show: show}
	if common, rolled := l.commonPrefix(after.key); rolled && common == after.key {
		p.driverListing.after = common
	}
	if after.id != "" && p.driverListing.after == "" && strings.HasPrefix(after.key, l.prefix) {
		if err := p.rest(ctx, after); err != nil || p.driverListing.more {
			return p.driverListing.more, err
		}
	}
	_, err = b.names.walkVersions(l, after.key, func(e *listedEntry) (bool, error) { return p.add(ctx, e) }).run(ctx)
	return p.driverListing.more, err
}

// A versionListing collects one page of versions.
type versionListing struct {
	driverListing driverListing
	bucket        *driverBucket
	show          func(v *version, latest bool, common string)
}

// rest shows the versions of a key after one of them.
func (p *versionListing) rest(ctx context.Context, after versionPosition) error {
	found, ordered := false, p.bucket.description().Provider == "local" // whose ids descend
	return p.bucket.names.versionsOf(ctx, after.key, func(e *listedEntry) (bool, error) {
		switch {
		case found:
			return p.add(ctx, e)
		case e.id == after.id:
			found = true
			return true, nil
		case ordered && after.id != nullVersion && e.Version < after.id: // that version is gone
			found = true
			return p.add(ctx, e)
		}
		return true, nil
	})
}

func (p *versionListing) add(ctx context.Context, e *listedEntry) (bool, error) {
	key, common, ok := p.driverListing.accepts(e.Key, e.IsPrefix)
	switch {
	case !ok:
		return !p.driverListing.more, nil
	case common != "":
		p.show(nil, false, common)
		return true, nil
	case e.marker:
		p.show(e.markerVersion(key), e.latest, "")
		return true, nil
	}
	v, err := p.bucket.names.entry(ctx, key, e.VersionEntry)
	if err != nil {
		return false, err
	}
	if v == nil {
		p.driverListing.shown--
		return true, nil
	}
	p.show(v, e.latest, "")
	return true, nil
}

package s3server

import (
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/keyname"
)

// A sortedPage keeps the first entries of a listing in S3's order. It is for delimiters that are not
// those of the driver: keys with one common prefix may then be far apart in the driver's order,
// because only some of them are escaped. Each page reads all names.
type sortedPage struct {
	listing listing
	names   keyname.Naming
	isAfter func(key string) bool
	items   []sortedItem
}

// A sortedItem is a common prefix, or a version.
type sortedItem struct {
	name        string
	common      bool
	listedEntry listedEntry
}

func newSortedPage(l listing, names keyname.Naming, isAfter func(key string) bool) *sortedPage {
	return &sortedPage{listing: l, names: names, isAfter: isAfter}
}

// isSorted reports whether a listing needs a sortedPage.
func (l listing) isSorted() bool { return l.delimiter != "" && l.delimiter != "/" }

// add adds an entry of the driver. The entries of one key come in their order.
func (p *sortedPage) add(e *listedEntry) {
	key, ok := p.names.Unescape(e.Key, false)
	if !ok || isRecord(e.Key) || !strings.HasPrefix(key, p.listing.prefix) || !p.isAfter(key) {
		return
	}
	item := sortedItem{name: key}
	if common, rolled := p.listing.commonPrefix(key); rolled {
		item = sortedItem{name: common, common: true}
	}
	i, found := slices.BinarySearchFunc(p.items, item, func(a, b sortedItem) int { return strings.Compare(a.name, b.name) })
	if found && (item.common || p.items[i].common) {
		return
	}
	for i < len(p.items) && p.items[i].name == item.name { // after the newer versions of the key
		i++
	}
	if i > p.listing.max {
		return
	}
	if !item.common {
		entry := *e.VersionEntry // its page need not stay in memory
		item.listedEntry = *e
		item.listedEntry.VersionEntry = &entry
	}
	p.items = slices.Insert(p.items, i, item)
	p.items = p.items[:min(len(p.items), p.listing.max+1)]
}

// each calls f with the entries of the page, whose keys are those of S3, and reports whether there
// are more.
func (p *sortedPage) each(f func(key string, e *listedEntry, common string) error) (more bool, err error) {
	for i := range p.items[:min(len(p.items), p.listing.max)] {
		item := &p.items[i]
		if item.common {
			err = f("", nil, item.name)
		} else {
			err = f(item.name, &item.listedEntry, "")
		}
		if err != nil {
			return false, err
		}
	}
	return len(p.items) > p.listing.max, nil
}

func (n *driverNames) listSorted(ctx context.Context, l listing, after position, show func(v *version, common string)) (more bool, err error) {
	page := newSortedPage(l, n.bucket.naming(), func(key string) bool {
		return key > after.key && (!after.prefix || !strings.HasPrefix(key, after.key))
	})
	for _, prefix := range n.bucket.naming().Prefixes(l.prefix) {
		err := n.eachName(ctx, &storage.ListRequest{Prefix: prefix}, func(e *storage.ListEntry) bool {
			page.add(&listedEntry{VersionEntry: &storage.VersionEntry{ListEntry: *e}})
			return true
		})
		if err != nil {
			return false, err
		}
	}
	return page.each(func(key string, e *listedEntry, common string) error {
		if common != "" {
			show(nil, common)
			return nil
		}
		v, err := n.entry(ctx, key, e.VersionEntry)
		if v != nil {
			show(v, "")
		}
		return err
	})
}

func (n *driverNames) listVersionsSorted(ctx context.Context, l listing, after versionPosition, show func(v *version, latest bool, common string)) (more bool, err error) {
	common, rolled := l.commonPrefix(after.key)
	within := after.id != "" // still among the versions of the key that are on the page before
	page := newSortedPage(l, n.bucket.naming(), func(key string) bool {
		return key > after.key && !(rolled && common == after.key && strings.HasPrefix(key, after.key)) || key == after.key && after.id != "" && !within
	})
	for _, prefix := range n.bucket.naming().Prefixes(l.prefix) {
		err := n.eachVersion(ctx, &storage.ListRequest{Prefix: prefix}, func(e *listedEntry) (bool, error) {
			page.add(e)
			if e.id == after.id && e.Key == n.bucket.naming().Escape(after.key) {
				within = false
			}
			return true, nil
		})
		if err != nil {
			return false, err
		}
	}
	return page.each(func(key string, e *listedEntry, common string) error {
		switch {
		case common != "":
			show(nil, false, common)
			return nil
		case e.marker:
			show(e.markerVersion(key), e.latest, "")
			return nil
		}
		v, err := n.entry(ctx, key, e.VersionEntry)
		if v != nil {
			show(v, e.latest, "")
		}
		return err
	})
}

package driverstore

import (
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A sortedPage keeps the first entries of a listing in S3's order. It is for delimiters that are not
// those of the driver: keys with one common prefix may then be far apart in the driver's order,
// because only some of them are escaped. Each page reads all names.
type sortedPage struct {
	listing state.Listing
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

func newSortedPage(l state.Listing, names keyname.Naming, isAfter func(key string) bool) *sortedPage {
	return &sortedPage{listing: l, names: names, isAfter: isAfter}
}

// isSorted reports whether a listing needs a sortedPage.
func isSorted(l state.Listing) bool { return l.Delimiter != "" && l.Delimiter != "/" }

// add adds an entry of the driver. The entries of one key come in their order.
func (p *sortedPage) add(e *listedEntry) {
	key, ok := p.names.Unescape(e.Key, false)
	if !ok || isRecord(e.Key) || !strings.HasPrefix(key, p.listing.Prefix) || !p.isAfter(key) {
		return
	}
	item := sortedItem{name: key}
	if common, rolled := p.listing.CommonPrefix(key); rolled {
		item = sortedItem{name: common, common: true}
	}
	i, found := slices.BinarySearchFunc(p.items, item, func(a, b sortedItem) int { return strings.Compare(a.name, b.name) })
	if found && (item.common || p.items[i].common) {
		return
	}
	for i < len(p.items) && p.items[i].name == item.name { // after the newer versions of the key
		i++
	}
	if i > p.listing.Max {
		return
	}
	if !item.common {
		entry := *e.VersionEntry // its page need not stay in memory
		item.listedEntry = *e
		item.listedEntry.VersionEntry = &entry
	}
	p.items = slices.Insert(p.items, i, item)
	p.items = p.items[:min(len(p.items), p.listing.Max+1)]
}

// show shows the entries of the page, and reports whether there are more.
func (p *sortedPage) show(ctx context.Context, n *driverNames, show showFunc) (more bool, err error) {
	for i := range p.items[:min(len(p.items), p.listing.Max)] {
		item, common := &p.items[i], ""
		if item.common {
			common = item.name
		}
		if _, err := n.show(ctx, item.name, &item.listedEntry, common, show); err != nil {
			return false, err
		}
	}
	return len(p.items) > p.listing.Max, nil
}

func (n *driverNames) listSorted(ctx context.Context, l state.Listing, after state.Position, show showFunc) (more bool, err error) {
	page := newSortedPage(l, n.bucket.naming(), func(key string) bool {
		return key > after.Key && (!after.Prefix || !strings.HasPrefix(key, after.Key))
	})
	for _, prefix := range n.bucket.naming().Prefixes(l.Prefix) {
		err := n.eachName(ctx, &driver.ListRequest{Prefix: prefix}, func(e *storage.ListEntry) bool {
			page.add(&listedEntry{VersionEntry: &storage.VersionEntry{ListEntry: *e}})
			return true
		})
		if err != nil {
			return false, err
		}
	}
	return page.show(ctx, n, show)
}

func (n *driverNames) listVersionsSorted(ctx context.Context, l state.Listing, after state.VersionPosition, show showFunc) (more bool, err error) {
	common, rolled := l.CommonPrefix(after.Key)
	within := after.ID != "" // still among the versions of the key that are on the page before
	page := newSortedPage(l, n.bucket.naming(), func(key string) bool {
		return key > after.Key && !(rolled && common == after.Key && strings.HasPrefix(key, after.Key)) || key == after.Key && after.ID != "" && !within
	})
	for _, prefix := range n.bucket.naming().Prefixes(l.Prefix) {
		err := n.eachVersion(ctx, &driver.ListRequest{Prefix: prefix}, func(e *listedEntry) (bool, error) {
			page.add(e)
			if e.id == after.ID && e.Key == n.bucket.naming().Escape(after.Key) {
				within = false
			}
			return true, nil
		})
		if err != nil {
			return false, err
		}
	}
	return page.show(ctx, n, show)
}

package listers

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Claim is what a driver declares about the order of its listings. The real order is that of a
// directory tree.
type Claim int

// The claims.
const (
	Declared Claim = iota // declares FolderOrder, which is the real order
	Unproven              // declares OrderedListing, but StartsAfter returns false
	Believed              // declares OrderedListing, although the listing is not in byte order
)

// TreeOrder returns a layer that lists keys in the order of a directory tree, as SeaweedFS does.
// Pages, a delimiter and StartAfter do not change the order.
func TreeOrder(claim Claim) driver.Layer {
	return func(next driver.Driver) driver.Driver { return &treeLister{next, claim} }
}

// A treeLister lists in the order of a directory tree, and declares what its claim says.
type treeLister struct {
	driver.Driver
	claim Claim
}

// Describe returns the description of the driver below, with the order of listings that d.claim says. That
// order is false for Unproven and Believed, because listings have the order of a directory tree.
func (d *treeLister) Describe() driver.Description {
	desc := d.Driver.Describe()
	switch d.claim {
	case Declared:
		desc.Features &^= storage.OrderedListing
		desc.FolderOrder = true
		desc.StartsAfter = nil
	case Unproven:
		// StartsAfter withdraws the claim of byte order.
		desc.Features |= storage.OrderedListing
		desc.FolderOrder = false
		desc.StartsAfter = func() bool { return false }
	case Believed:
		desc.Features |= storage.OrderedListing
		desc.FolderOrder = false
		desc.StartsAfter = nil
	}
	return desc
}

// treePath returns a text by which the key is sorted. The byte order of the texts is the order of
// the keys in a directory tree.
func treePath(key string) string { return strings.ReplaceAll(key, "/", "\x00") }

// List returns a page of all keys of the wrapped driver, sorted by path. A token is the last key of
// the page before.
func (d *treeLister) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	entries, err := d.listAll(ctx, r)
	if err != nil {
		return nil, err
	}
	byPath := func(a, b storage.ListEntry) int { return cmp.Compare(treePath(a.Key), treePath(b.Key)) }
	slices.SortFunc(entries, byPath)

	startAfter := cmp.Or(r.Token, r.StartAfter)
	page := &storage.Page{}
	for _, entry := range entries {
		if startAfter != "" && treePath(entry.Key) <= treePath(startAfter) {
			continue
		}
		if len(page.Entries) == r.Limit {
			page.Token = page.Entries[r.Limit-1].Key
			break
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

// listAll returns all keys and common prefixes that the wrapped driver lists.
func (d *treeLister) listAll(ctx context.Context, r *driver.ListRequest) ([]storage.ListEntry, error) {
	var entries []storage.ListEntry
	req := &driver.ListRequest{Prefix: r.Prefix, Delimiter: r.Delimiter, Limit: 100}
	if maximum := d.Driver.Describe().MaxPage; maximum > 0 {
		req.Limit = min(req.Limit, maximum)
	}
	for {
		page, err := d.Driver.List(ctx, req)
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		if page.Token == "" {
			return entries, nil
		}
		req.Token = page.Token
	}
}

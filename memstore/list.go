package memstore

import (
	"cmp"
	"context"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
)

// List returns a page of objects, at a cost that depends on the page, and not on the number of keys
// in the bucket or under a common prefix.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	pos, err := startAfter(r)
	if err != nil {
		return nil, err
	}
	b, err := d.openToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	// A directory bucket of S3 lists in any order.
	if d.anyOrder {
		return b.listAnyOrder(r, pos.key)
	}
	return b.list(r, pos.key), nil
}

// startAfter returns the position after which a page begins.
func startAfter(r *driver.ListRequest) (position, error) {
	if r.Token != "" {
		return parseToken(r.Token, r.Prefix)
	}
	return position{key: r.StartAfter}, nil
}

// list returns the page that begins after the key startAfter, with one entry for all keys that
// share a common prefix up to the delimiter. The caller holds the lock.
func (b *bucket) list(r *driver.ListRequest, startAfter string) *storage.Page {
	// Most pages are short, so begin with little memory. A longer page grows once, to its maximum.
	const usualLength = 16
	maximum := min(r.Limit, b.live.len())
	page := &storage.Page{Entries: r.Entries[:0]}
	if cap(page.Entries) == 0 {
		page.Entries = make([]storage.ListEntry, 0, min(maximum, usualLength))
	}

	keys := b.live.iter()
	hasMore := keys.Seek(max(r.Prefix, startAfter))
	for hasMore && strings.HasPrefix(keys.Key(), r.Prefix) {
		key := keys.Key()
		common, isPrefix := objectkey.CommonPrefix(key, r.Prefix, r.Delimiter)
		if isPrefix {
			key = common
		}

		// The iterator may begin at startAfter itself, or, if startAfter is a common prefix, at a key
		// below it. The page before has both.
		wasListed := key <= startAfter
		if !wasListed {
			if len(page.Entries) == r.Limit {
				// The page is full, and this entry shows that another page follows.
				page.Token = position{key: page.Entries[r.Limit-1].Key}.token()
				break
			}
			entry := addEntry(page, maximum)
			if isPrefix {
				*entry = storage.ListEntry{Key: common, IsPrefix: true}
			} else {
				keys.Value().object.describe(entry)
			}
		}

		if !isPrefix {
			hasMore = keys.Next()
			continue
		}

		// Continue after all keys with the common prefix.
		next, exists := objectkey.PrefixEnd(common)
		hasMore = exists && keys.Seek(next)
	}
	return page
}

// addEntry adds an entry to a page, whose memory grows to maximum entries if it is used up. The caller
// fills the entry in its place, because copying it would cost time.
func addEntry(page *storage.Page, maximum int) *storage.ListEntry {
	count := len(page.Entries)
	if count == cap(page.Entries) {
		page.Entries = slices.Grow(page.Entries, max(maximum-count, 1))
	}
	page.Entries = page.Entries[:count+1]
	return &page.Entries[count]
}

// listAnyOrder returns the page after the key startAfter, or the first page if that is "". As an
// example of a listing without order, it lists in the order of the keys' checksums. Like S3's
// directory buckets, it accepts only prefixes that are empty or end in "/". The caller holds the
// lock.
func (b *bucket) listAnyOrder(r *driver.ListRequest, startAfter string) (*storage.Page, error) {
	isFolder := r.Prefix == "" || strings.HasSuffix(r.Prefix, "/")
	hasKnownDelimiter := r.Delimiter == "" || r.Delimiter == "/"
	if r.StartAfter != "" || !isFolder || !hasKnownDelimiter {
		return nil, storage.InvalidArgument
	}

	// List all entries, sort them, and cut out the page.
	req := *r
	req.Limit = b.live.len()
	req.Entries = nil
	page := b.list(&req, "")
	slices.SortFunc(page.Entries, func(x, y storage.ListEntry) int {
		return compareChecksums(x.Key, y.Key)
	})

	// Remove what the earlier pages have listed.
	if startAfter != "" {
		page.Entries = slices.DeleteFunc(page.Entries, func(entry storage.ListEntry) bool {
			return compareChecksums(entry.Key, startAfter) <= 0
		})
	}

	// Cut the page at the limit. Its last key is the token for the next page.
	if len(page.Entries) > r.Limit {
		page.Entries = page.Entries[:r.Limit]
		page.Token = position{key: page.Entries[r.Limit-1].Key}.token()
	}
	return page, nil
}

// compareChecksums compares keys by their checksums, and keys with equal checksums by their texts.
func compareChecksums(a, b string) int {
	aSum := crc32.ChecksumIEEE([]byte(a))
	bSum := crc32.ChecksumIEEE([]byte(b))
	return cmp.Or(cmp.Compare(aSum, bSum), strings.Compare(a, b))
}

package azure

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// Azure lists keys in the order of UTF-16. In that order, characters from U+10000 on (such as
// emoji) come before characters from U+E000 to U+FFFF (such as full-width forms). In byte order,
// characters from U+10000 on come last. So List sorts each page by bytes. If keys of the next page
// may belong between the keys of this page, List reads the next page, too, and sorts both pages
// together.

const (
	firstAfterSurrogates = "\uE000"     // the first character that Azure lists last
	firstSupplementary   = "\U00010000" // the first character that UTF-16 moves before U+E000

	// maxMerged is the maximum number of entries of a page that is merged from
	// several.
	maxMerged = 100_000
)

// isSupplementary reports whether c begins a character from U+10000 on, in UTF-8.
func isSupplementary(c byte) bool { return c >= 0xF0 }

// isAfterSurrogates reports whether c begins a character from U+E000 to U+FFFF, in UTF-8. No other
// byte of a character has one of these values.
func isAfterSurrogates(c byte) bool { return c == 0xEE || c == 0xEF }

// compareUTF16 compares two strings in UTF-8 by their order in UTF-16, which is that of bytes
// except for characters from U+E000 on.
func compareUTF16(a, b string) int {
	shared := sharedBytes(a, b)
	if shared == len(a) || shared == len(b) {
		return cmp.Compare(len(a), len(b))
	}

	// The first bytes that differ may be within a character, but a byte for which isSupplementary or
	// isAfterSurrogates is true always begins one.
	byteOfA := a[shared]
	byteOfB := b[shared]
	switch {
	case isSupplementary(byteOfA) && isAfterSurrogates(byteOfB):
		return -1
	case isAfterSurrogates(byteOfA) && isSupplementary(byteOfB):
		return 1
	default:
		return cmp.Compare(byteOfA, byteOfB)
	}
}

// sharedBytes returns the number of bytes with which both a and b begin.
func sharedBytes(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// mixedOrderPrefixes returns the prefixes after which a later page may have a key that belongs before a
// key of this page in byte order. Such a later key has a character from U+E000 to U+FFFF after the
// prefix, where the key of this page has one from U+10000 on. The shortest prefix comes first.
//
// For example, after the key "a/\U0001F600", a later page may have "a/\uFF01". The prefix is "a/".
//
// listPrefix is the prefix of the listing. last is the last key of this page in Azure's order.
func mixedOrderPrefixes(entries []storage.ListEntry, listPrefix, last string) []string {
	var prefixes []string
	for i := range entries {
		key := entries[i].Key
		// A later key comes after last. It has the first n bytes of this key only if last has them, too.
		shared := sharedBytes(key, last)
		for n := len(listPrefix); n <= shared && n < len(key); n++ {
			if isSupplementary(key[n]) && !slices.Contains(prefixes, key[:n]) {
				prefixes = append(prefixes, key[:n])
			}
		}
	}

	slices.SortFunc(prefixes, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	return prefixes
}

// hasAfterSurrogates reports whether a key has a character from U+E000 to U+FFFF after one of the
// prefixes. If the server ignores StartFrom, it may return true although there is no such key, and the
// caller then merges more pages than necessary.
func (ls *lister) hasAfterSurrogates(ctx context.Context, prefixes []string) (bool, error) {
	for _, prefix := range prefixes {
		// In Azure's order, these characters come last, so any key from the first of them on has one.
		items, _, marker, err := ls.page(ctx, "", &container.ListBlobsHierarchyOptions{
			Prefix:     httpheader.Optional(prefix),
			StartFrom:  new(prefix + firstAfterSurrogates),
			MaxResults: new(int32(1)),
		})
		if err != nil {
			return false, err
		}
		if len(items) > 0 || marker != "" {
			return true, nil
		}
	}
	return false, nil
}

// startFrom returns the key at which the service must begin to list, so that no key after StartAfter
// is missing, or "" for the first key. It may be less than StartAfter, so List drops the entries up
// to StartAfter.
func startFrom(r *driver.ListRequest) string {
	if !strings.HasPrefix(r.StartAfter, r.Prefix) {
		return ""
	}
	start := r.StartAfter[len(r.Prefix):]
	if r.Delimiter != "" {
		// The service can start only at the first level.
		start, _, _ = strings.Cut(start, r.Delimiter)
	}
	if start == "" {
		return ""
	}
	return r.Prefix + startUTF16(start)
}

// startUTF16 returns the greatest text that Azure lists no later than any text that is greater than
// start in byte order. That is start itself, unless it has a character from U+E000 to U+FFFF. Before
// this character, Azure lists all characters from U+10000 on, which are greater in byte order.
func startUTF16(start string) string {
	for i := range len(start) {
		if isAfterSurrogates(start[i]) {
			return start[:i] + firstSupplementary
		}
	}
	return start
}

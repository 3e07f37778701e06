package azure

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// Azure lists in the order of UTF-16, where characters from U+10000 on (emoji)
// come before those from U+E000 to U+FFFF (full-width forms, private use), and
// not behind them as in that of bytes: nothing else differs. Of a page they are
// sorted; where a page could break off between the two kinds, it is read on
// until it does not.

const (
	firstAfterSurrogates = "\uE000"     // of those that Azure has last
	firstSupplementary   = "\U00010000" // of those that Azure has before them

	// maxHeld bounds a page that is read on, in entries.
	maxMerged = 100_000
)

// isEarly and isLate tell the kinds apart by the first byte of a character in
// UTF-8.
func isSupplementary(c byte) bool   { return c >= 0xF0 }
func isAfterSurrogates(c byte) bool { return c == 0xEE || c == 0xEF }

// compareUTF16 compares as Azure does.
func compareUTF16(a, b string) int {
	n := sharedBytes(a, b)
	if n == len(a) || n == len(b) {
		return cmp.Compare(len(a), len(b))
	}
	switch x, y := a[n], b[n]; {
	case isSupplementary(x) && isAfterSurrogates(y):
		return -1
	case isAfterSurrogates(x) && isSupplementary(y):
		return 1
	default:
		return cmp.Compare(x, y)
	}
}

func sharedBytes(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// straddled are the stems under which a page that ends with the key last, in
// Azure's order, has early characters, and what follows can have late ones that
// belong before them: shortest first.
func mixedOrderPrefixes(entries []storage.ListEntry, prefix, last string) []string {
	var stems []string
	for i := range entries {
		key := entries[i].Key
		for at := len(prefix); at < min(len(key), sharedBytes(key, last)+1); at++ {
			if isSupplementary(key[at]) && !slices.Contains(stems, key[:at]) {
				stems = append(stems, key[:at])
			}
		}
	}
	slices.SortFunc(stems, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	return stems
}

// hasLate reports whether there are keys with late characters behind one of the
// stems. A server that does not heed where to start leaves it open: true.
func (d *driver) hasAfterSurrogates(ctx context.Context, stems []string) (bool, error) {
	for _, stem := range stems {
		items, _, marker, err := d.listPage(ctx, "", &container.ListBlobsHierarchyOptions{
			Prefix: httpheader.Optional(stem), StartFrom: to.Ptr(stem + firstAfterSurrogates), MaxResults: to.Ptr(int32(1)),
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

// startFrom is where the service begins, inclusively, to have all that is behind
// StartAfter: before the early characters where it has a late one. Under a
// delimiter the service knows one level. The core drops what is too early.
func startFrom(r *storage.ListRequest) string {
	if !strings.HasPrefix(r.StartAfter, r.Prefix) {
		return ""
	}
	start := r.StartAfter[len(r.Prefix):]
	if r.Delimiter != "" {
		start, _, _ = strings.Cut(start, r.Delimiter)
	}
	for i := range len(start) {
		if isAfterSurrogates(start[i]) {
			start = start[:i] + firstSupplementary
			break
		}
	}
	if start == "" {
		return ""
	}
	return r.Prefix + start
}

package azure

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// compareUnits compares strings in the order that was observed on Azure: by code units of UTF-16.
func compareUnits(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// mixedKeys are keys that have another order by bytes than by code units of UTF-16. The first key
// is empty.
var mixedKeys = []string{
	"", "a", "a/b", "aa", "é", "世", "\uD7FF", "\uE000", "\uFF08x", "\uFFFD", "\U00010000", "😀", "😀/a", "😀/\uFF08", "😀/😀", "😀\uE000",
	"a😀", "a\uFF08", "a\uFF08😀", "a\uFF08\uFF09", "a😀\uFF08", "a😀😀",
}

// A listServer lists as Azure does, in pages of any size.
type listServer struct {
	*httptest.Server
	keys             []string // in Azure's order
	ignoresStartFrom bool     // as older versions do
	requests         atomic.Int64
}

// newListServer starts a listServer, which sorts the keys in Azure's order.
func newListServer(t *testing.T, keys []string) *listServer {
	t.Helper()
	l := &listServer{keys: slices.SortedFunc(slices.Values(keys), compareUnits)}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

// ServeHTTP responds to List Blobs with a page. The marker is the index of the next key.
func (l *listServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.requests.Add(1)
	query := r.URL.Query()
	limit, _ := strconv.Atoi(query.Get("maxresults"))
	first, _ := strconv.Atoi(query.Get("marker")) // 0 on the first page

	var entries []string
	next := ""
	for i, key := range l.keys {
		if i < first || !strings.HasPrefix(key, query.Get("prefix")) {
			continue
		}
		if !l.ignoresStartFrom && compareUnits(key, query.Get("startFrom")) < 0 {
			continue
		}
		if len(entries) == limit {
			next = strconv.Itoa(i)
			break
		}
		entries = append(entries, blobEntry(key))
	}
	w.Header().Set(requestIDHeader, "R1")
	_, _ = fmt.Fprint(w, listing(next, entries...).Body)
}

// open opens the container "photos" of the server.
func (l *listServer) open(t *testing.T) storage.Bucket {
	t.Helper()
	bucket, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: l.URL + "/" + emulatorAccount})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return bucket
}

// compareUTF16 orders strings by their code units in UTF-16, as Azure does.
func TestCompareUTF16(t *testing.T) {
	for _, a := range mixedKeys {
		for _, b := range mixedKeys {
			require.Equal(t, compareUnits(a, b), compareUTF16(a, b), "%q %q", a, b)
		}
	}
}

// A listing is in byte order, whatever its page size.
func TestListByteOrder(t *testing.T) {
	want := slices.Sorted(slices.Values(mixedKeys[1:]))
	server := newListServer(t, mixedKeys[1:])
	require.NotEqual(t, want, server.keys, "Azure's order must be another one")
	for _, ignoresStartFrom := range []bool{false, true} {
		server.ignoresStartFrom = ignoresStartFrom
		bucket := server.open(t)
		for size := 1; size <= len(want); size++ {
			require.Equal(t, want, foldermarker.Keys(t, bucket, storage.WithPageSize(size)), "pages of %d", size)
		}
	}
}

// WithStartAfter starts a listing after any key, with any page size and prefix, although Azure sorts
// the keys in another order.
func TestListStartAfter(t *testing.T) {
	// The first of the mixed keys is empty, and no blob can have an empty key.
	stored := mixedKeys[1:]
	all := slices.Sorted(slices.Values(stored))
	bucket := newListServer(t, stored).open(t)

	for _, start := range all {
		for _, size := range []int{1, 3, 100} {
			for _, prefix := range []string{"", "a", "😀"} {
				var want []string
				for _, key := range all {
					if key > start && strings.HasPrefix(key, prefix) {
						want = append(want, key)
					}
				}
				got := foldermarker.Keys(t, bucket,
					storage.WithStartAfter(start),
					storage.WithPageSize(size),
					storage.WithPrefix(prefix))
				require.Equal(t, want, got, "after %q, pages of %d, prefix %q", start, size, prefix)
			}
		}
	}
}

// A listing in byte order takes no additional requests if Azure's order is the same.
func TestListByteOrderRequests(t *testing.T) {
	const count, pageSize = 100, 10
	var keys []string
	for i := range count {
		keys = append(keys, fmt.Sprintf("a\uFF08%03d", i))
	}
	server := newListServer(t, keys)

	require.Len(t, foldermarker.Keys(t, server.open(t), storage.WithPageSize(pageSize)), count)
	require.Equal(t, int64(count/pageSize), server.requests.Load())
}

// Keys with emoji are listed in pages, with one more request for each page but the last.
func TestListEmojiInPages(t *testing.T) {
	const count, pageSize, pages = 100, 10, 10
	var keys []string
	for i := range count {
		keys = append(keys, fmt.Sprintf("😀/%03d", i))
	}
	server := newListServer(t, keys)
	bucket := server.open(t)

	// The additional request finds that no key on a later page comes before the keys of this page.
	require.Len(t, foldermarker.Keys(t, bucket, storage.WithPageSize(pageSize)), count)
	require.Equal(t, int64(pages+pages-1), server.requests.Load())

	// With an emoji as the prefix, Azure's order is the order of bytes, and no additional request is needed.
	server.requests.Store(0)
	keys = foldermarker.Keys(t, bucket, storage.WithPageSize(pageSize), storage.WithPrefix("😀/"))
	require.Len(t, keys, count)
	require.Equal(t, int64(pages), server.requests.Load())
}

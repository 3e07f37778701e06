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
)

// byUnits compares in Azure's order, as observed: by code units of UTF-16.
func byUnits(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

var mixed = []string{
	"", "a", "a/b", "aa", "é", "世", "\uD7FF", "\uE000", "\uFF08x", "\uFFFD", "\U00010000", "😀", "😀/a", "😀/\uFF08", "😀/😀", "😀\uE000",
	"a😀", "a\uFF08", "a\uFF08😀", "a\uFF08\uFF09", "a😀\uFF08", "a😀😀",
}

// A listServer lists as Azure does, in pages of any size.
type listServer struct {
	*httptest.Server
	keys  []string
	deaf  bool // ignores startFrom, as older versions do
	asked atomic.Int64
}

func newListServer(t *testing.T, keys []string) *listServer {
	t.Helper()
	l := &listServer{keys: slices.SortedFunc(slices.Values(keys), byUnits)}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

func (l *listServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.asked.Add(1)
	query := r.URL.Query()
	limit, _ := strconv.Atoi(query.Get("maxresults"))
	var entries []string
	marker := ""
	for i, key := range l.keys {
		index, _ := strconv.Atoi(query.Get("marker"))
		if i < index || !strings.HasPrefix(key, query.Get("prefix")) || !l.deaf && byUnits(key, query.Get("startFrom")) < 0 {
			continue
		}
		if len(entries) == limit {
			marker = strconv.Itoa(i)
			break
		}
		entries = append(entries, blobEntry(key))
	}
	answer := listing(marker, entries...)
	w.Header().Set(requestIDHeader, "R1")
	_, _ = fmt.Fprint(w, answer.Body)
}

func (l *listServer) open(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: l.URL + "/" + emulatorAccount})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

func keysListed(t *testing.T, b storage.Bucket, opts ...storage.ListOption) []string {
	t.Helper()
	var keys []string
	for entry, err := range b.List(t.Context(), opts...) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

func TestCompareUTF16(t *testing.T) {
	for _, a := range mixed {
		for _, b := range mixed {
			require.Equal(t, byUnits(a, b), compareUTF16(a, b), "%q %q", a, b)
		}
	}
}

// A listing is in byte order for all page sizes.
func TestListByteOrder(t *testing.T) {
	want := slices.Sorted(slices.Values(mixed[1:]))
	l := newListServer(t, mixed[1:])
	require.NotEqual(t, want, l.keys, "the orders differ")
	for _, l.deaf = range []bool{false, true} {
		b := l.open(t)
		for size := 1; size <= len(want); size++ {
			require.Equal(t, want, keysListed(t, b, storage.WithPageSize(size)), "pages of %d", size)
		}
	}
}

// A listing starts after any key.
func TestListStartAfter(t *testing.T) {
	all := slices.Sorted(slices.Values(mixed[1:]))
	b := newListServer(t, mixed[1:]).open(t)
	for _, start := range all {
		for _, size := range []int{1, 3, 100} {
			for _, prefix := range []string{"", "a", "😀"} {
				var want []string
				for _, key := range all {
					if key > start && strings.HasPrefix(key, prefix) {
						want = append(want, key)
					}
				}
				got := keysListed(t, b, storage.WithStartAfter(start), storage.WithPageSize(size), storage.WithPrefix(prefix))
				require.Equal(t, want, got, "behind %q, pages of %d, prefix %q", start, size, prefix)
			}
		}
	}
}

// If Azure's order agrees with byte order, a listing in byte order takes no additional requests.
func TestListByteOrderRequests(t *testing.T) {
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("a\uFF08%03d", i))
	}
	l := newListServer(t, keys)
	require.Len(t, keysListed(t, l.open(t), storage.WithPageSize(10)), 100)
	require.Equal(t, int64(10), l.asked.Load())
}

// Many emoji are listed in pages.
func TestListEmojiInPages(t *testing.T) {
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("😀/%03d", i))
	}
	l := newListServer(t, keys)
	b := l.open(t)
	require.Len(t, keysListed(t, b, storage.WithPageSize(10)), 100)
	require.Equal(t, int64(10+9), l.asked.Load(), "one more request per page: no key belongs before it")

	l.asked.Store(0)
	require.Len(t, keysListed(t, b, storage.WithPageSize(10), storage.WithPrefix("😀/")), 100)
	require.Equal(t, int64(10), l.asked.Load(), "below them the order is the same")
}

package storagetest

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/internal/listers"
)

// aroundAFolder are keys whose order by bytes differs from their order in a directory tree. A
// server that stores objects as files can hold all of them, because no key is also a folder of
// another key.
var aroundAFolder = []string{"a!b", "a-b", "a-c/1", "a.c", "a/1", "a/2", "a/2-x", "a/2b/c", "a/3", "a0", "b/1", "c"}

var treeCases = []Case{
	{
		Name:        "keys around a folder are in byte order",
		Rule:        "K4",
		Needs:       storage.OrderedListing,
		Explanation: "a-b comes before a/1, and a0 after all of a/, also if the folder has more keys than a page",
		run: func(t *T) {
			b := t.open()
			all := []string{"a-b", "a/1", "a/2", "a/3", "a0"}
			t.puts(b, all...)
			require.Equal(t, all, t.keys(b))
			require.Equal(t, all, t.keys(b, storage.WithPageSize(2)))
			require.Equal(t, all, t.pages(b, 2))
			require.Equal(t, []string{"a-b", ">a/", "a0"}, t.keys(b, storage.WithDelimiter("/"), storage.WithPageSize(1)))
			require.Equal(t, all[1:], t.keys(b, storage.WithStartAfter("a-b"), storage.WithPageSize(2)))
			require.Equal(t, all[3:], t.keys(b, storage.WithStartAfter("a/2"), storage.WithPageSize(2)))
			require.Equal(
				t, all[1:4], t.keys(b, storage.WithPrefix("a/"), storage.WithStartAfter("a-"), storage.WithPageSize(2)),
				"a start before the prefix",
			)
			require.Empty(t, t.keys(b, storage.WithPrefix("a/"), storage.WithStartAfter("a0")), "a start after the prefix")
			require.Equal(
				t, []string{"a-", "a/1", "a/2", "a/3", "a0"},
				t.plainKeys(b, storage.WithDelimiter("-"), storage.WithPageSize(2)),
			)
		},
	},
	{
		Name:        "a listing in another order is an error",
		Rule:        "K4",
		Explanation: "a key out of order ends the listing with Unsupported, so that nothing acts on an incomplete listing",
		run: func(t *T) {
			b := t.open(driver.WithLayer(listers.TreeOrder(listers.Believed)))
			t.puts(b, "a/1", "a/2", "a-b", "c")
			for _, size := range []int{1, 2, 3, 100} {
				require.NotEmpty(
					t, t.requireCode(t.lastError(b, storage.WithPageSize(size)), storage.Unsupported).Hint,
					"pages of %d", size,
				)
			}
			t.requireCode(t.lastError(b, storage.WithDelimiter("/"), storage.WithPageSize(1)), storage.Unsupported)
			_, err := storage.ListPage(t.Context(), b, "", t.anyOrder()...)
			t.requireCode(err, storage.Unsupported)
			_, err = storage.FS(t.Context(), b).(interface {
				ReadFile(string) ([]byte, error)
			}).ReadFile("c")
			require.NoError(t, err, "a read does not need an order")
			_, err = storage.RemoveMatching(t.Context(), b, nil, storage.WithPageSize(2))
			require.ErrorIs(t, err, storage.Unsupported)
		},
	},
	{
		Name:        "a store that lists like a directory tree is listed in order",
		Rule:        "K4",
		Explanation: "with FolderOrder the engine lists folder by folder, and leaves nothing out with any prefix, delimiter, start and page size",
		run:         listingOfATree,
	},
	{
		Name:        "a start, a limit and a token in a tree",
		Rule:        "K4",
		Explanation: "folders before the start are skipped, and the listing ends at its limit",
		run: func(t *T) {
			b := t.open(driver.WithLayer(listers.TreeOrder(listers.Declared)))
			t.puts(b, aroundAFolder...)
			count := t.countRequests(func() {
				require.Equal(t, []string{"b/1", "c"}, t.keys(b, storage.WithStartAfter("a0")))
			})
			if t.desc.MaxPage == 0 || t.desc.MaxPage > len(aroundAFolder) {
				require.Equal(t, 2, count, "one for the bucket and one for b/")
			}
			n, err := storage.RemoveMatching(t.Context(), b, nil, storage.WithPageSize(2))
			require.NoError(t, err)
			require.Equal(t, len(aroundAFolder), n)
			require.Empty(t, t.keys(b))
		},
	},
	{
		Name:        "a listing begins in the middle only if nothing is left out",
		Rule:        "K4",
		Needs:       storage.OrderedListing,
		Explanation: "with StartsAfter, a start, a token and a limit leave nothing out: in tree order the listing fails, in byte order it is read from the start",
		run: func(t *T) {
			startInTreeOrder(t)
			startInByteOrder(t)
		},
	},
	{
		Name:        "a repeated prefix is no disorder",
		Rule:        "L1",
		Explanation: "if a store repeats a common prefix on the next page, or beside an object of its name, the repetition is dropped",
		run: func(t *T) {
			b := t.open(driver.WithLayer(listers.Repeating))
			t.puts(b, "a/1", "b", "c/1")
			require.Equal(t, []string{">a/", "b", ">c/"}, t.keys(b, storage.WithDelimiter("/"), storage.WithPageSize(1)))
			require.Equal(t, []string{">a/", "b", ">c/"}, t.keys(b, storage.WithDelimiter("/")))
		},
	},
	{
		Name:        "a delimiter that the store does not support",
		Rule:        "L1",
		Needs:       storage.OrderedListing,
		Explanation: "with SlashDelimiter the engine lists all keys and finds the common prefixes itself",
		run: func(t *T) {
			b := t.open(driver.WithLayer(listers.SlashOnly))
			t.puts(b, aroundAFolder...)
			for _, delimiter := range []string{"/", "-", "/2"} {
				want := model(aroundAFolder, "", delimiter, "")
				require.Equal(t, want, t.keys(b, storage.WithDelimiter(delimiter), storage.WithPageSize(3)))
				require.Equal(t, want, t.pages(b, 3, storage.WithDelimiter(delimiter)))
				want = model(aroundAFolder, "a", delimiter, "a-b")
				require.Equal(
					t, want,
					t.keys(b, storage.WithDelimiter(delimiter), storage.WithPrefix("a"), storage.WithStartAfter("a-b")),
				)
			}
		},
	},
	{
		Name:        "a full last page has no token",
		Rule:        "L3",
		Needs:       storage.OrderedListing,
		Explanation: "with TokenAfterLast, for a store that returns a token after a full last page, as MinIO does",
		run: func(t *T) {
			b := t.open(driver.WithLayer(listers.TokenAfterLast))
			t.puts(b, "a", "b", "c", "d/1", "d/2", "e")
			for _, delimiter := range []string{"", "/"} {
				want := model([]string{"a", "b", "c", "d/1", "d/2", "e"}, "", delimiter, "")
				largest := len(want) + 1
				if t.desc.MaxPage > 0 {
					largest = min(largest, t.desc.MaxPage)
				}
				for size := 1; size <= largest; size++ {
					var got []string
					pages := 0
					for token := ""; ; {
						page, err := storage.ListPage(
							t.Context(), b, token,
							t.anyOrder(storage.WithPageSize(size), storage.WithDelimiter(delimiter))...)
						require.NoError(t, err)
						for _, entry := range page.Entries {
							got = append(got, markedKey(entry))
						}
						pages++
						token = page.Token
						if token == "" {
							break
						}
					}
					require.Equal(t, want, got, "pages of %d", size)
					require.Equal(t, (len(want)+size-1)/size, pages, "pages of %d", size)
				}
			}
		},
	},
	{
		Name:        "a folder marker is not in its own folder",
		Rule:        "K5",
		Explanation: "an object with the name of a view's prefix has no key in the view and is not listed there",
		run: func(t *T) {
			b := t.open(driver.WithLayer(listers.WithMarker("mark/")))
			t.puts(b, "mark/x")
			require.Equal(t, []string{"mark/", "mark/x"}, t.keys(b))
			require.Equal(t, []string{"x"}, t.keys(storage.Prefixed(b, "mark/")))
			require.Equal(t, []string{"x"}, t.keys(storage.Prefixed(b, "mark/"), storage.WithDelimiter("/")))
			require.Equal(t, []string{"x"}, t.pages(storage.Prefixed(b, "mark/"), 1))
			require.Equal(t, []string{"x"}, t.keys(storage.Prefixed(t.wrapped(b), "mark/")), "of a user's Core")
			for _, bucket := range []storage.Bucket{b, t.wrapped(b)} {
				require.Equal(
					t, []string{"x"}, t.keys(storage.Prefixed(bucket, "mark/"), storage.WithLimit(1)),
					"it must not count either",
				)
			}
		},
	},
	{
		Name:        "a canceled listing ends at the next entry",
		Rule:        "E3",
		Explanation: "ctx is checked between the entries of a page, also on the last page",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b", "c", "d", "e")
			ctx, cancel := contextOf(t)
			defer cancel()
			var keys []string
			var last error
			for entry, err := range b.List(ctx, t.anyOrder()...) {
				last = err
				if err != nil {
					break
				}
				keys = append(keys, entry.Key)
				if len(keys) == 3 {
					cancel()
				}
			}
			t.requireCode(last, storage.Canceled)
			require.Len(t, keys, 3)
		},
	},
}

// listingOfATree requires that listings of a store in tree order are in byte order. The store
// declares its order, so that the engine can sort.
func listingOfATree(t *T) {
	b := t.open(driver.WithLayer(listers.TreeOrder(listers.Declared)))
	t.puts(b, aroundAFolder...)

	sizes := []int{1, 2, 3, 1000} // 1000 is more than there are keys
	prefixes := []string{"", "a", "a/", "a/2", "a-b", "b/", "z"}
	starts := []string{"", "a", "a-", "a-b", "a.c", "a/", "a/2", "a/2-", "a/2b/c", "a0", "z"}
	if t.isRemote() {
		// More requests would prove nothing new.
		sizes = []int{2}
		prefixes = []string{""}
		starts = []string{"", "a/2"}
	}

	for _, prefix := range prefixes {
		for _, delimiter := range []string{"", "/", "-", "b"} {
			for _, startAfter := range starts {
				want := model(aroundAFolder, prefix, delimiter, startAfter)
				t.requireListing(b, want, sizes, storage.WithPrefix(prefix), storage.WithDelimiter(delimiter),
					storage.WithStartAfter(startAfter))
			}

			// ListPage begins at a token, so it is compared without a start.
			want := model(aroundAFolder, prefix, delimiter, "")
			const pageSize = 3
			got := t.pages(b, pageSize, storage.WithPrefix(prefix), storage.WithDelimiter(delimiter))
			require.Equal(t, want, got, "prefix %q, delimiter %q, by ListPage", prefix, delimiter)
		}
	}
}

// pages lists a bucket page by page, and returns all keys. Common prefixes have a leading ">".
func (t *T) pages(b storage.Bucket, size int, opts ...storage.ListOption) []string {
	t.Helper()
	opts = t.anyOrder(append(slices.Clip(opts), storage.WithPageSize(size))...)
	keys := []string{}
	token := ""
	for {
		page, err := storage.ListPage(t.Context(), b, token, opts...)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Entries), size)
		for _, entry := range page.Entries {
			keys = append(keys, markedKey(entry))
		}

		token = page.Token
		if token == "" {
			return t.sorted(keys)
		}
	}
}

// plainKeys returns the keys and common prefixes that a listing yields, without the ">" by which
// t.keys marks a common prefix.
func (t *T) plainKeys(b storage.Bucket, opts ...storage.ListOption) []string {
	t.Helper()
	var keys []string
	for _, key := range t.keys(b, opts...) {
		keys = append(keys, strings.TrimPrefix(key, ">"))
	}
	return keys
}

// lastError returns the error with which a listing ends, or nil.
func (t *T) lastError(b storage.Bucket, opts ...storage.ListOption) error {
	t.Helper()
	var lastErr error
	for _, err := range b.List(t.Context(), t.anyOrder(opts...)...) {
		require.NoError(t, lastErr, "an entry must not follow an error")
		lastErr = err
	}
	return lastErr
}

// startInTreeOrder requires that a listing after a key fails if the store lists in tree order but
// declares byte order, and cannot start at a key.
func startInTreeOrder(t *T) {
	// The layer lists in tree order, and its description does not say so.
	b := t.open(driver.WithLayer(listers.TreeOrder(listers.Unproven)))
	t.puts(b, aroundAFolder...)
	for _, size := range []int{1, 3, 100} {
		pageSize := storage.WithPageSize(size)
		// In the two orders, different keys follow each of these.
		for _, startAfter := range []string{"a-b", "a-c/1", "a/2", "a/3", "a0"} {
			start := storage.WithStartAfter(startAfter)
			t.requireCode(t.lastError(b, pageSize, start), storage.Unsupported)
			t.requireCode(t.lastError(b, pageSize, start, storage.WithDelimiter("/")), storage.Unsupported)
		}

		// The keys below a/ have the same order in both.
		ordered := t.keys(b, storage.WithPrefix("a/"), storage.WithStartAfter("a/2b/c"), pageSize)
		require.Equal(t, []string{"a/3"}, ordered)
	}

	// ListPage reads only one page, so it notices the wrong order only if all keys are on that page.
	allOnOnePage := t.desc.MaxPage == 0 || t.desc.MaxPage > len(aroundAFolder)
	if allOnOnePage {
		_, err := storage.ListPage(t.Context(), b, "", t.anyOrder(storage.WithStartAfter("a-b"))...)
		require.NotEmpty(t, t.requireCode(err, storage.Unsupported).Hint)
	}
}

// startInByteOrder requires that a listing after a key leaves nothing out, although the store can
// only list from its first key.
func startInByteOrder(t *T) {
	b := t.open(driver.WithLayer(listers.NoStart))
	t.puts(b, aroundAFolder...)
	for _, opts := range [][]storage.ListOption{
		nil,
		{storage.WithDelimiter("/")},
		{storage.WithDelimiter("-")},
		{storage.WithPrefix("a/")},
		{storage.WithPrefix("a/2b/")},
		{storage.WithPrefix("c")},
	} {
		var r storage.ListOptions
		require.NoError(t, r.Apply(opts...))

		for _, startAfter := range []string{"a", "a-", "a-b", "a.c", "a/2", "a0", "z"} {
			want := model(aroundAFolder, r.Prefix, r.Delimiter, startAfter)
			started := append(slices.Clip(opts), storage.WithStartAfter(startAfter))
			t.requireListing(b, want, []int{2}, started...)
			if len(want) > 0 {
				const limit = 2
				limited := t.keys(b, append(started, storage.WithLimit(limit))...)
				require.Equal(t, want[:min(limit, len(want))], limited, "%+v after %q", r, startAfter)
			}
		}

		// Listings from the first key are tried with each page size.
		want := model(aroundAFolder, r.Prefix, r.Delimiter, "")
		for size := 1; size <= len(want); size++ {
			require.Equal(t, want, t.pages(b, size, opts...), "%+v in pages of %d", r, size)
		}
	}
}

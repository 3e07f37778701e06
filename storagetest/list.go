package storagetest

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
)

func contextOf(t *T) (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }

var listCases = []Case{
	{
		Name:        "an empty listing",
		Rule:        "L1",
		Explanation: "an empty bucket, and a prefix that no key has, yield nothing and no error",
		run: func(t *T) {
			b := t.open()
			require.Empty(t, t.keys(b))
			t.puts(b, "a")
			require.Empty(t, t.keys(b, storage.WithPrefix("b")))
			require.Empty(t, t.keys(b, storage.WithPrefix("a/"), storage.WithDelimiter("/")))
			if t.has(storage.OrderedListing) {
				require.Empty(t, t.keys(b, storage.WithStartAfter("a")))
			}
			page, err := storage.ListPage(t.Context(), b, "", t.anyOrder(storage.WithPrefix("b"))...)
			require.NoError(t, err)
			require.Equal(t, &storage.Page{Entries: []storage.ListEntry{}}, page, "in JSON, no entry is [] and not null")
		},
	},
	{
		Name:        "prefix, delimiter and start are taken literally",
		Rule:        "L1",
		Explanation: "keys ascend and come once, common prefixes come once with their delimiter, and WithStartAfter excludes its key or prefix",
		Needs:       storage.KeysBesideFolders | storage.OrderedListing,
		run:         listingTable,
	},
	{
		Name:        "entries have their attributes",
		Rule:        "L2",
		Explanation: "an entry has key, size, ETag, revision, time and storage class, without a further request; those of a directory need no class",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "12345", t.storageClass(b))
			t.put(b, "p/b", "1")
			want := t.attrs(b, "a")
			var entries []storage.ListEntry
			count := t.countRequests(func() {
				for entry, err := range b.List(t.Context(), t.anyOrder(storage.WithDelimiter("/"))...) {
					require.NoError(t, err)
					entries = append(entries, entry)
				}
			})
			require.Equal(t, 1, count, "%v", t.faults)
			require.Len(t, entries, 2)
			slices.SortFunc(entries, func(a, b storage.ListEntry) int { return strings.Compare(a.Key, b.Key) })
			require.Equal(t, "a", entries[0].Key)
			require.Equal(t, int64(5), entries[0].Size)
			require.Equal(t, want.ETag, entries[0].ETag, "List and Head must return the same ETag")
			require.Equal(t, want.Revision, entries[0].Revision, "List and Head must return the same Revision")
			require.WithinDuration(t, want.Modified, entries[0].Modified, 1_000_000_000)
			if t.desc.Provider != "local" || entries[0].StorageClass != "" {
				require.Equal(t, want.StorageClass, entries[0].StorageClass,
					"List and Head must return the same StorageClass")
			}
			require.Equal(t, "p/", entries[1].Key, "a listing with a delimiter has the common prefix in place of its keys")
			require.Equal(t, storage.ListEntry{Key: "p/", IsPrefix: true}, entries[1])
		},
	},
	{
		Name:        "breaking out of a listing leaks nothing",
		Rule:        "L1",
		Explanation: "the consumer may stop at any entry, and range over the same listing again",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b", "c", "d", "e")
			entries := slices.Collect(untilError(b.List(t.Context(), t.anyOrder()...)))
			listing := b.List(t.Context(), t.anyOrder(storage.WithPageSize(2))...)
			for stop := range 5 {
				i := 0
				for entry, err := range listing {
					require.NoError(t, err)
					require.Equal(t, entries[i], entry, "each range must list again")
					if i == stop {
						break
					}
					i++
				}
			}
			next, stop := pull(listing)
			_, err, ok := next()
			require.True(t, ok)
			require.NoError(t, err)
			stop()
		},
	},
	{
		Name:        "the next page is prefetched",
		Rule:        "L1",
		Explanation: "each page from a remote store is requested as soon as the one before has come, the second one after an eighth of the first; not if the consumer leaves earlier, and not past a limit",
		run: func(t *T) {
			b := t.open(far())
			t.puts(b, "a", "b", "c", "d", "e")
			requests := map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 5: 3}
			if t.desc.FolderOrder { // the engine lists one folder at a time, without a prefetch
				requests[2], requests[3], requests[4] = 1, 2, 2
			}
			for remaining, want := range requests {
				require.Equal(
					t, want, t.countRequests(func() { t.listUntil(b, remaining, storage.WithPageSize(2)) }),
					"leaving at entry %d", remaining,
				)
			}
			require.Equal(t, 1, t.countRequests(func() {
				t.listUntil(b, 5, storage.WithPageSize(2), storage.WithLimit(2))
			}))
			require.Equal(t, 2, t.countRequests(func() {
				t.listUntil(b, 5, storage.WithPageSize(2), storage.WithLimit(3))
			}))
		},
	},
	{
		Name:        "a listing yields one error, last",
		Rule:        "L1",
		Explanation: "the entries before it are kept, nothing follows it, and ranging on after it does not crash",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b", "c", "d")
			t.faults.Set(faults.Fail(faults.List).Nth(2).WithError(storage.PermissionDenied))
			var keys []string
			var errs []error
			for entry, err := range b.List(t.Context(), t.anyOrder(storage.WithPageSize(2))...) {
				if err != nil {
					errs = append(errs, err)
					require.Equal(t, storage.ListEntry{}, entry)
					continue
				}
				require.Empty(t, errs, "an entry must not follow an error")
				keys = append(keys, entry.Key)
			}
			require.Len(t, keys, 2)
			require.Len(t, errs, 1)
			t.requireCode(errs[0], storage.PermissionDenied)
		},
	},
	{
		Name:        "a listing ends with ctx",
		Rule:        "L1",
		Explanation: "cancelled in the middle, a listing yields Canceled once",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b", "c", "d")
			ctx, cancel := contextOf(t)
			var last error
			entries := 0
			for _, err := range b.List(ctx, t.anyOrder(storage.WithPageSize(1))...) {
				last = err
				if err == nil {
					entries++
					cancel()
				}
			}
			cancel()
			t.requireCode(last, storage.Canceled)
			require.Less(t, entries, 4)
			for _, err := range b.List(ctx, t.anyOrder()...) {
				t.requireCode(err, storage.Canceled)
			}
		},
	},
	{
		Name:        "a canceled listing makes no further request",
		Rule:        "E3",
		Explanation: "canceled in the middle of a page or between two, a listing costs what leaving the loop there costs, and yields no further entry",
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.open(far())} {
				t.puts(b, "a", "b", "c", "d", "e")
				for n := 1; n <= 4; n++ {
					remaining := t.countRequests(func() {
						t.listUntil(b, n, storage.WithPageSize(2))
					})
					count := t.countRequests(func() {
						t.cancelListing(b, n, storage.WithPageSize(2))
					})
					require.LessOrEqual(t, count, remaining, "canceled at entry %d", n)
				}
			}
		},
	},
	{
		Name:        "an empty page does not end a listing",
		Rule:        "L1",
		Explanation: "if a store returns an empty page with a token, the listing continues",
		run: func(t *T) {
			b := t.open(emptyPages())
			t.puts(b, "a", "b", "c", "p/x", "q")
			require.Equal(t, []string{"a", "b", "c", "p/x", "q"}, t.keys(b, storage.WithPageSize(1)))
			require.Equal(
				t, []string{"a", "b", "c", ">p/", "q"},
				t.keys(b, storage.WithPageSize(2), storage.WithDelimiter("/")),
			)
			var keys []string
			for token := ""; ; {
				page, err := storage.ListPage(t.Context(), b, token, t.anyOrder(storage.WithPageSize(2))...)
				require.NoError(t, err)
				for _, e := range page.Entries {
					keys = append(keys, e.Key)
				}
				token = page.Token
				if token == "" {
					break
				}
				require.NotEmpty(t, page.Entries, "only the last page may be empty")
			}
			require.Equal(t, []string{"a", "b", "c", "p/x", "q"}, t.sorted(keys))
		},
	},
	{
		Name:        "an object being written is not listed",
		Rule:        "L4",
		Explanation: "temporary names and incomplete uploads are never listed",
		run: func(t *T) {
			b := t.openForPartsOrWhole()
			w := storage.NewWriter(t.Context(), b, "dir/a", storage.WithConcurrency(1))
			_, err := w.Write([]byte(body(2*t.unit+1, 1)))
			require.NoError(t, err)
			require.Empty(t, t.keys(b))
			require.Empty(t, t.keys(b, storage.WithDelimiter("/")))
			require.ErrorIs(t, w.Close(), storage.InvalidArgument, "it was not committed")
			require.Empty(t, t.keys(b))
			require.Empty(t, t.keys(b, storage.WithDelimiter("/")))
		},
	},
	{
		Name:        "a folder disappears with its last object",
		Rule:        "L4",
		Explanation: "there are no directories: a prefix is listed while there is an object under it",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a/b/c/d", "a/x")
			require.Equal(t, []string{">a/"}, t.keys(b, storage.WithDelimiter("/")))
			require.NoError(t, b.Remove(t.Context(), "a/b/c/d"))
			require.Equal(t, []string{"a/x"}, t.keys(b))
			require.Equal(t, []string{"a/x"}, t.keys(b, storage.WithPrefix("a/"), storage.WithDelimiter("/")))
			require.NoError(t, b.Remove(t.Context(), "a/x"))
			require.Empty(t, t.keys(b, storage.WithDelimiter("/")))
			t.requireMissing(b, "a")
			t.put(b, "a", "an object in the place of a folder")
			t.requireContent(b, "a", "an object in the place of a folder")
		},
	},
	{
		Name:        "folders with long names are listed",
		Rule:        "L1",
		Explanation: "a delimiter and FS show a folder in a folder, however long its name is; some disks store a long name in pieces",
		run: func(t *T) {
			b := t.open()
			for _, length := range []int{240, 255, 256, 300, 480, 700} {
				if length > 255 && !t.has(storage.LongSegments) {
					continue
				}
				folder := strings.Repeat("x", length)
				key := "g/" + folder + "/file"
				t.put(b, key, "x")
				require.Equal(t, []string{">g/"}, t.keys(b, storage.WithDelimiter("/")), "a name of %d bytes", length)
				require.Equal(
					t, []string{">g/" + folder + "/"}, t.keys(b, storage.WithDelimiter("/"), storage.WithPrefix("g/")),
					"a name of %d bytes", length,
				)
				require.Equal(t, []string{key}, t.files(b), "a name of %d bytes", length)
				require.NoError(t, b.Remove(t.Context(), key))
				require.Empty(t, t.keys(b, storage.WithDelimiter("/")), "a name of %d bytes", length)
			}
		},
	},
	{
		Name:        "a listing during concurrent writes",
		Rule:        "L1",
		Explanation: "keys ascend, and objects that exist all the time are listed",
		run: func(t *T) {
			b := t.open()
			want := []string{"a", "c", "e", "g", "i"}
			t.puts(b, want...)
			var keys []string
			for entry, err := range b.List(t.Context(), t.anyOrder(storage.WithPageSize(1))...) {
				require.NoError(t, err)
				keys = append(keys, entry.Key)
				if len(keys) == 2 {
					t.puts(b, "b", "f0")
					require.NoError(t, b.Remove(t.Context(), keys[0]))
				}
			}
			require.True(t, slices.IsSorted(keys) || !t.has(storage.OrderedListing), "%v", keys)
			require.Len(t, slices.Compact(slices.Sorted(slices.Values(keys))), len(keys), "a key comes once")
			for _, key := range want {
				require.Contains(t, keys, key)
			}
		},
	},
}

// untilError yields the entries of a listing up to its first error.
func untilError[E any](listing iter.Seq2[E, error]) iter.Seq[E] {
	return func(yield func(E) bool) {
		for entry, err := range listing {
			if err != nil || !yield(entry) {
				return
			}
		}
	}
}

// openForPartsOrWhole opens an empty bucket that uploads long bodies in parts, if the driver has
// multipart uploads.
func (t *T) openForPartsOrWhole() storage.Bucket {
	if t.has(storage.MultipartUploads) {
		return t.openForParts()
	}
	return t.open()
}

// listingTable requires that listings with many combinations of options yield what the model lists.
func listingTable(t *T) {
	b := t.open()
	keys := []string{"a", "a-b", "a/b", "a/b/c", "a/d", "a0", "ab", "b/c"}
	t.puts(b, keys...)

	// A remote store gets one page size for each listing, because more requests would prove nothing
	// new. The sizes take turns. The number of starts is a multiple of that of the sizes, so each
	// delimiter skips a turn. Otherwise each start would always get the same size.
	sizes := []int{1, 3, 1000}
	turn := 0
	for _, prefix := range []string{"", "a", "a/", "a/b", "b", "z"} {
		for _, delimiter := range []string{"", "/", "-", "b"} {
			turn++
			for _, startAfter := range []string{"", "a", "a-b", "a/", "a/a", "a/b", "a0", "0", "z"} {
				want := model(keys, prefix, delimiter, startAfter)
				opts := []storage.ListOption{
					storage.WithPrefix(prefix),
					storage.WithDelimiter(delimiter),
					storage.WithStartAfter(startAfter),
				}
				pageSizes := sizes
				if t.isRemote() {
					pageSizes = []int{sizes[turn%len(sizes)]}
					turn++
				}
				t.requireListing(b, want, pageSizes, opts...)
			}
		}
	}
}

// requireListing requires that a listing yields the keys want in pages of each size. With a limit of 2, it
// must yield the first two of them.
func (t *T) requireListing(b storage.Lister, want []string, pageSizes []int, opts ...storage.ListOption) {
	t.Helper()
	var r storage.ListOptions
	require.NoError(t, r.Apply(opts...))

	for _, size := range pageSizes {
		paged := append(slices.Clip(opts), storage.WithPageSize(size))
		require.Equal(t, want, t.keys(b, paged...), "%+v in pages of %d", r, size)
		if len(want) > 1 {
			limited := t.keys(b, append(paged, storage.WithLimit(2))...)
			require.Equal(t, want[:2], limited, "%+v in pages of %d, limit 2", r, size)
		}
	}
}

// isRemote reports whether a request to the store goes over a network.
func (t *T) isRemote() bool {
	return t.desc.Provider != "memory" && t.desc.Provider != "local"
}

// model returns the entries that a correct listing of keys has, in order. Common prefixes have a
// leading ">".
func model(keys []string, prefix, delimiter, startAfter string) []string {
	listed := []string{}
	for _, key := range keys {
		rest, hasPrefix := strings.CutPrefix(key, prefix)
		if !hasPrefix {
			continue
		}

		// The listing has the key itself, or the common prefix up to the delimiter, but only once.
		name := key
		mark := ""
		head, _, hasDelimiter := strings.Cut(rest, delimiter)
		isInFolder := delimiter != "" && hasDelimiter
		if isInFolder {
			name = prefix + head + delimiter
			mark = ">"
		}
		isListed := slices.Contains(listed, mark+name)
		if name > startAfter && !isListed {
			listed = append(listed, mark+name)
		}
	}
	slices.SortFunc(listed, compareMarked)
	return listed
}

// emptyPages returns a layer that inserts an empty page before every page. The token of the empty
// page continues with the page that follows.
func emptyPages() storage.OpenOption {
	return driver.WithLayer(func(next driver.Driver) driver.Driver { return &emptyPager{Driver: next} })
}

// emptyPageMark begins the token of an empty page. The rest of the token is that of the next page.
const emptyPageMark = "empty-page:"

// An emptyPager is a driver that returns an empty page before each page.
type emptyPager struct{ driver.Driver }

// List returns an empty page before each page of the driver. The token of an empty page is that of the
// driver's page after a mark.
func (d *emptyPager) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	token, followsEmptyPage := strings.CutPrefix(r.Token, emptyPageMark)
	if !followsEmptyPage {
		return &storage.Page{Token: emptyPageMark + r.Token}, nil
	}
	req := *r
	req.Token = token
	return d.Driver.List(ctx, &req)
}

// cancelListing cancels the context of a listing at its n-th entry, and requires that the listing
// ends there with Canceled.
func (t *T) cancelListing(b storage.Bucket, n int, opts ...storage.ListOption) {
	t.Helper()
	ctx, cancel := contextOf(t)
	defer cancel()
	var listErr error
	entries := 0
	for _, err := range b.List(ctx, t.anyOrder(opts...)...) {
		require.NoError(t, listErr, "the listing continued after an error")
		if err != nil {
			listErr = err
			continue
		}
		entries++
		if entries == n {
			cancel()
		}
	}
	t.requireCode(listErr, storage.Canceled)
	require.Equal(t, n, entries, "an entry followed the end of ctx")
}

// listUntil reads the first n entries of a listing.
func (t *T) listUntil(b storage.Bucket, n int, opts ...storage.ListOption) {
	t.Helper()
	for _, err := range b.List(t.Context(), t.anyOrder(opts...)...) {
		require.NoError(t, err)
		n--
		if n == 0 {
			return
		}
	}
}

// far returns a layer that makes the driver appear remote.
func far() storage.OpenOption {
	return driver.WithLayer(func(next driver.Driver) driver.Driver { return &remote{Driver: next} })
}

// A remote is a driver that appears remote.
type remote struct{ driver.Driver }

// Describe declares that the driver is not local.
func (d *remote) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	return desc
}

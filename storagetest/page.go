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
	"github.com/omnibucket/storage/storagetest/internal/cores"
)

func pull(listing iter.Seq2[storage.ListEntry, error]) (func() (storage.ListEntry, error, bool), func()) {
	return iter.Pull2(listing)
}

var pageCases = []Case{
	{
		Name:        "pages add up to the listing",
		Rule:        "L3",
		Explanation: "a token continues after its page, and the last page has none, even if it is full",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b/x", "b/y", "c", "d", "e", "ef")
			for i, opts := range [][]storage.ListOption{
				{storage.WithPrefix("e")}, // a prefix that is itself a key
				nil,
				{storage.WithDelimiter("/")},
				{storage.WithPrefix("b/")},
				{storage.WithStartAfter("a")},
			} {
				isFolder := i > 0
				if withStart := len(withoutStart(opts, 1)) <= len(opts); withStart && !t.has(storage.OrderedListing) {
					continue
				}
				want := t.keys(b, opts...)
				for _, size := range []int{1, 2, len(want), 100} {
					if t.desc.MaxPage > 0 {
						size = min(size, t.desc.MaxPage)
					}
					var got []string
					pages := 0
					for token := ""; ; {
						options := append([]storage.ListOption{storage.WithPageSize(size)}, opts...)
						if token != "" {
							options = withoutStart(opts, size)
						}
						page, err := storage.ListPage(t.Context(), b, token, t.anyOrder(options...)...)
						require.NoError(t, err)
						require.LessOrEqual(t, len(page.Entries), size)
						for _, entry := range page.Entries {
							got = append(got, markedKey(entry))
						}
						pages++
						token = page.Token
						if token == "" {
							break
						}
					}
					require.Equal(t, want, t.sorted(got), "pages of %d", size)
					// For an S3 directory bucket, the store lists whole folders, and the library
					// selects the keys with the prefix. A page may have a token although no such
					// key follows. So the number of pages may be larger.
					if t.has(storage.OrderedListing) || isFolder {
						require.Equal(t, max(1, (len(want)+size-1)/size), pages, "pages of %d", size)
					}
				}
			}
		},
	},
	{
		Name:        "a page has no more entries than were asked for",
		Rule:        "L3",
		Needs:       storage.OrderedListing,
		Explanation: "if the driver returns more, as Azure's does when it has to sort, the rest comes on the next page",
		run: func(t *T) {
			parent := t.open(driver.WithLayer(func(next driver.Driver) driver.Driver { return &longPages{next} }))
			b := storage.Prefixed(parent, "p/")
			t.puts(b, "a", "b/x", "b/y", "c", "d", "e", "ef")
			for name, opts := range map[string][]storage.ListOption{
				"all":                      nil,
				"by a delimiter":           {storage.WithDelimiter("/")},
				"a key that is the prefix": {storage.WithPrefix("e")},
			} {
				for size := 1; size <= 3; size++ {
					var got []string
					for token := ""; ; {
						page, err := storage.ListPage(
							t.Context(), b, token,
							t.anyOrder(append([]storage.ListOption{storage.WithPageSize(size)}, opts...)...)...)
						require.NoError(t, err)
						require.LessOrEqual(t, len(page.Entries), size, name)
						for _, entry := range page.Entries {
							got = append(got, markedKey(entry))
						}
						token = page.Token
						if token == "" {
							break
						}
					}
					require.Equal(t, t.keys(b, opts...), got, "%s, pages of %d", name, size)
				}
			}
		},
	},
	{
		Name:        "a token outlives its Bucket value",
		Rule:        "L3",
		Explanation: "another Bucket value for the same store continues with the token, because browsers keep it, and not the program",
		run: func(t *T) {
			b, other := t.openTwice()
			t.puts(b, "a", "b", "c")
			page, err := storage.ListPage(t.Context(), b, "", t.anyOrder(storage.WithPageSize(1))...)
			require.NoError(t, err)
			page, err = storage.ListPage(t.Context(), other, page.Token, t.anyOrder(storage.WithPageSize(5))...)
			require.NoError(t, err)
			require.Len(t, page.Entries, 2)
			require.Equal(t, "b", page.Entries[0].Key)
			require.Empty(t, page.Token)
		},
	},
	{
		Name:        "a token belongs to its listing",
		Rule:        "L3",
		Explanation: "with another prefix or delimiter, or if it was changed, it is InvalidArgument, because it comes back from browsers",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a/1", "a/2", "b/1", "b/2")
			page, err := storage.ListPage(
				t.Context(), b, "",
				t.anyOrder(storage.WithPageSize(1), storage.WithPrefix("a/"))...)
			require.NoError(t, err)
			require.NotEmpty(t, page.Token)
			for name, c := range map[string]struct {
				token string
				opts  []storage.ListOption
			}{
				"no prefix":         {page.Token, nil},
				"another prefix":    {page.Token, []storage.ListOption{storage.WithPrefix("b/")}},
				"another delimiter": {page.Token, []storage.ListOption{storage.WithPrefix("a/"), storage.WithDelimiter("/")}},
				"nonsense":          {"nonsense", []storage.ListOption{storage.WithPrefix("a/")}},
				"a key":             {"a/1", []storage.ListOption{storage.WithPrefix("a/")}},
				"truncated":         {page.Token[:len(page.Token)/2], []storage.ListOption{storage.WithPrefix("a/")}},
				"endless":           {strings.Repeat("A", 1<<16), []storage.ListOption{storage.WithPrefix("a/")}},
			} {
				t.requireNoRequests(func() {
					_, err := storage.ListPage(t.Context(), b, c.token, t.anyOrder(c.opts...)...)
					require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
				})
			}
		},
	},
	{
		Name:        "ListPage takes no limit, and no start with a token",
		Rule:        "L3",
		Needs:       storage.OrderedListing,
		Explanation: "WithLimit, and WithStartAfter with a token, are InvalidArgument",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			page, err := storage.ListPage(
				t.Context(), b, "",
				t.anyOrder(storage.WithPageSize(1), storage.WithStartAfter("0"))...)
			require.NoError(t, err)
			require.Len(t, page.Entries, 1)
			_, err = storage.ListPage(t.Context(), b, "", t.anyOrder(storage.WithLimit(1))...)
			t.requireCode(err, storage.InvalidArgument)
			_, err = storage.ListPage(t.Context(), b, page.Token, t.anyOrder(storage.WithStartAfter("a"))...)
			t.requireCode(err, storage.InvalidArgument)
		},
	},
	{
		Name:        "pages of a Core that hides objects",
		Rule:        "L3",
		Needs:       storage.OrderedListing,
		Explanation: "ListPage calls the Core's own ListPage, and a page that it leaves empty is not returned before the last one",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b", "c-hidden", "d-hidden", "z")
			mine := t.wrap(b, func(c storage.Core) storage.Core { return cores.Hiding{Core: c} })
			var keys []string
			for token := ""; ; {
				page, err := storage.ListPage(t.Context(), mine, token, t.anyOrder(storage.WithPageSize(2))...)
				require.NoError(t, err)
				require.True(t, len(page.Entries) > 0 || page.Token == "", "only the last page may be empty")
				for _, entry := range page.Entries {
					keys = append(keys, entry.Key)
				}
				token = page.Token
				if token == "" {
					break
				}
			}
			require.Equal(t, []string{"a", "b", "z"}, keys)
		},
	},
}

// A longPages is a driver that returns up to twice as many entries as requested. It does not exceed
// the driver's largest page.
type longPages struct{ driver.Driver }

// List asks the driver for twice as many entries, up to its largest page.
func (d *longPages) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	longer := *r
	longer.Limit *= 2
	if maximum := d.Describe().MaxPage; maximum > 0 {
		longer.Limit = max(r.Limit, min(longer.Limit, maximum))
	}
	return d.Driver.List(ctx, &longer)
}

// withoutStart returns the options for the next page of a listing: the page size, and all of opts but
// WithStartAfter, because the token of the page replaces it.
func withoutStart(opts []storage.ListOption, size int) []storage.ListOption {
	rest := []storage.ListOption{storage.WithPageSize(size)}
	for _, opt := range opts {
		// An option is a function, so only its effect tells which one it is.
		var effect storage.ListOptions
		if effect.Apply(opt) == nil && effect.StartAfter == "" {
			rest = append(rest, opt)
		}
	}
	return rest
}

var anyOrderCases = []Case{
	{
		Name: "a listing in any order has to be permitted",
		Rule: "L5",
		Explanation: "without OrderedListing, List and ListPage are Unsupported before any request, with a hint " +
			"that names WithAnyOrder; everything else works",
		run: func(t *T) {
			b := t.openLimited(faults.Limits{Disable: storage.OrderedListing})
			t.put(b, "a", "x")
			t.requireNoRequests(func() {
				for name, err := range anyOrderRefused(t, b) {
					require.NotEmpty(t, t.requireCode(err, storage.Unsupported).Hint, name)
				}
				_, err := storage.ListPage(t.Context(), b, "")
				require.Contains(t, t.requireCode(err, storage.Unsupported).Hint, "WithAnyOrder")
			})
			t.requireContent(b, "a", "x")
		},
	},
	{
		Name: "every store takes WithAnyOrder",
		Rule: "L5",
		Explanation: "the option permits any order, and changes nothing else: with a prefix, a delimiter, a " +
			"limit and pages each entry comes once",
		run: func(t *T) {
			b := t.open()
			t.puts(b, withFolders...)
			t.requireAnyOrder(b)
		},
	},
	{
		Name: "a listing in no order is complete",
		Rule: "L5",
		Explanation: "each key and each common prefix comes once, also if the store takes only folders as " +
			"prefixes; RemoveMatching and FS need no order",
		run: func(t *T) {
			if t.desc.FolderOrder {
				t.Skip("the driver lists only one folder at a time")
			}
			b := t.open(driver.WithLayer(func(next driver.Driver) driver.Driver { return &disordered{next, t} }))
			t.puts(b, withFolders...)
			t.requireAnyOrder(b)
			require.ElementsMatch(t, withFolders, t.files(b))
			n, err := storage.RemoveMatching(t.Context(), b, nil, storage.WithPrefix("d/1"))
			require.NoError(t, err)
			require.Equal(t, 2, n)
			n, err = storage.RemoveMatching(t.Context(), b, nil)
			require.NoError(t, err)
			require.Equal(t, len(withFolders)-2, n)
		},
	},
}

// withFolders are keys that a file system can hold: no key is also a folder of another key.
var withFolders = []string{"a", "b-1", "b/1", "b/2/3", "c", "d/1", "d/12", "d/2", "e/1/2", "f"}

// anyOrderRefused makes calls that need an ordered listing, and returns the errors by the function
// or option that they test.
func anyOrderRefused(t *T, b storage.Bucket) map[string]error {
	errs := map[string]error{}
	for _, err := range b.List(t.Context()) {
		errs["List"] = err
	}
	for _, err := range b.List(t.Context(), storage.WithAnyOrder(), storage.WithStartAfter("a")) {
		errs["WithStartAfter"] = err
	}
	_, errs["ListPage"] = storage.ListPage(t.Context(), b, "")
	return errs
}

// requireAnyOrder requires that listings in any order yield the right keys of the bucket, which
// contains withFolders.
func (t *T) requireAnyOrder(b storage.Bucket) {
	t.Helper()
	const pageSize, limit = 2, 3 // a listing has several pages, and its limit is within one
	for _, prefix := range []string{"", "b", "b/", "d/1", "z"} {
		for _, delimiter := range []string{"", "/"} {
			opts := []storage.ListOption{
				storage.WithAnyOrder(), storage.WithPrefix(prefix), storage.WithDelimiter(delimiter),
				storage.WithPageSize(pageSize),
			}
			want := model(withFolders, prefix, delimiter, "")
			require.ElementsMatch(t, want, t.keys(b, opts...), "prefix %q, delimiter %q", prefix, delimiter)
			paged := t.pages(b, pageSize, opts...)
			require.ElementsMatch(t, want, paged, "pages of prefix %q, delimiter %q", prefix, delimiter)

			// A limited listing may have any of the entries.
			limited := t.keys(b, append(opts, storage.WithLimit(limit))...)
			require.Len(t, limited, min(limit, len(want)))
			require.Subset(t, want, limited)
		}
	}
}

// A disordered is a driver that lists in no order. It supports only the delimiter "/".
type disordered struct {
	driver.Driver
	t *T
}

// Describe declares that prefixes must be folders, and that the only delimiter is "/".
func (d *disordered) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.OrderedListing
	desc.FolderOrder = false
	desc.FolderPrefixes = true
	desc.SlashDelimiter = true
	return desc
}

// List returns the entries of each page in reverse order. It fails the test if a request has a StartAfter
// or a prefix that is no folder, because Describe excludes both.
func (d *disordered) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.StartAfter != "" {
		d.t.Errorf("the driver was asked for StartAfter: %+v", r)
	}
	if r.Prefix != "" && !strings.HasSuffix(r.Prefix, "/") {
		d.t.Errorf("the driver was asked for a prefix that is no folder: %+v", r)
	}
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	slices.Reverse(page.Entries)
	return page, nil
}

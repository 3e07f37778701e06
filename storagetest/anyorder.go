package storagetest

import (
	"context"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
)

var anyOrderCases = []Case{
	{
		Name: "a listing in any order has to be permitted", Rule: "L5",
		Explanation: "without OrderedListing, List and ListPage are Unsupported before any request, with a hint that names WithAnyOrder; everything else works",
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
		Name: "every store takes WithAnyOrder", Rule: "L5",
		Explanation: "the option permits any order, and changes nothing else: with a prefix, a delimiter, a limit and pages each entry comes once",
		run: func(t *T) {
			b := t.open()
			t.puts(b, withFolders...)
			t.requireAnyOrder(b)
		},
	},
	{
		Name: "a listing in no order is complete", Rule: "L5",
		Explanation: "each key and each common prefix comes once, also if the store takes only folders as prefixes; RemoveMatching and FS need no order",
		run: func(t *T) {
			if t.desc.FolderOrder {
				t.Skip("the driver lists only one folder at a time")
			}
			b := t.open(driver.WithLayer(func(next driver.Driver) driver.Driver { return &disordered{next, t} }))
			t.puts(b, withFolders...)
			t.requireAnyOrder(b)
			require.ElementsMatch(t, withFolders, t.files(b))
			removed, err := storage.RemoveMatching(t.Context(), b, nil, storage.WithPrefix("d/1"))
			require.NoError(t, err)
			require.Equal(t, 2, removed)
			removed, err = storage.RemoveMatching(t.Context(), b, nil)
			require.NoError(t, err)
			require.Equal(t, len(withFolders)-2, removed)
		},
	},
}

// withFolders are keys of which none has the name of another one's folder.
var withFolders = []string{"a", "b-1", "b/1", "b/2/3", "c", "d/1", "d/12", "d/2", "e/1/2", "f"}

// anyOrderRefused returns the errors of calls that need an ordered listing.
func anyOrderRefused(t *T, b storage.Bucket) map[string]error {
	errs := map[string]error{}
	for name, opts := range map[string][]storage.ListOption{
		"List": nil, "WithStartAfter": {storage.WithAnyOrder(), storage.WithStartAfter("a")},
	} {
		for _, err := range b.List(t.Context(), opts...) {
			errs[name] = err
		}
	}
	_, errs["ListPage"] = storage.ListPage(t.Context(), b, "")
	return errs
}

// requireAnyOrder compares listings of withFolders with a model.
func (t *T) requireAnyOrder(b storage.Bucket) {
	t.Helper()
	for _, prefix := range []string{"", "b", "b/", "d/1", "z"} {
		for _, delimiter := range []string{"", "/"} {
			opts := []storage.ListOption{
				storage.WithAnyOrder(), storage.WithPrefix(prefix), storage.WithDelimiter(delimiter),
				storage.WithPageSize(2),
			}
			want := model(withFolders, prefix, delimiter, "")
			require.ElementsMatch(t, want, t.keys(b, opts...), "prefix %q, delimiter %q", prefix, delimiter)
			require.ElementsMatch(
				t, want, t.pages(b, 2, opts...), "pages of prefix %q, delimiter %q", prefix, delimiter,
			)
			limited := t.keys(b, append(opts, storage.WithLimit(3))...)
			require.Len(t, limited, min(3, len(want)))
			require.Subset(t, want, limited)
		}
	}
}

// A disordered driver lists in no order, and only with the delimiter "/".
type disordered struct {
	driver.Driver
	t *T
}

func (d *disordered) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.OrderedListing
	desc.FolderOrder, desc.FolderPrefixes, desc.SlashDelimiter = false, true, true
	return desc
}

func (d *disordered) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.StartAfter != "" || r.Prefix != "" && !strings.HasSuffix(r.Prefix, "/") {
		d.t.Errorf("the driver was asked for %+v", r)
	}
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		slices.Reverse(page.Entries)
	}
	return page, err
}

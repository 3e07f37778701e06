package engine_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A folderLister is a driver that lists one folder at a time, in an order of its own: FolderOrder.
type folderLister struct {
	driver.Driver
	order func(folder []storage.ListEntry) // the entries of a folder, which come in byte order
}

func (d folderLister) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.FolderOrder = true
	desc.Features &^= storage.OrderedListing
	return desc
}

func (d folderLister) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	req := *r
	req.Token = ""
	req.Limit = 1000
	req.Entries = nil
	page, err := d.Driver.List(ctx, &req)
	if err != nil {
		return nil, err
	}
	d.order(page.Entries)
	start, _ := strconv.Atoi(r.Token) // 0 for the first page
	end := min(start+r.Limit, len(page.Entries))
	result := &storage.Page{Entries: page.Entries[start:end]}
	if end < len(page.Entries) {
		result.Token = strconv.Itoa(end)
	}
	return result, nil
}

// byName is the order of a directory, in which the folder "a/" has the name "a".
func byName(folder []storage.ListEntry) {
	slices.SortStableFunc(folder, func(a, b storage.ListEntry) int {
		return strings.Compare(strings.TrimSuffix(a.Key, "/"), strings.TrimSuffix(b.Key, "/"))
	})
}

// byBytes is the order in which the entries come.
func byBytes([]storage.ListEntry) {}

// slashOnly is a driver that supports no other delimiter than "/".
type slashOnly struct{ driver.Driver }

func (d slashOnly) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.SlashDelimiter = true
	return desc
}

func (d slashOnly) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.Delimiter != "" && r.Delimiter != "/" {
		return nil, storage.Internal
	}
	return d.Driver.List(ctx, r)
}

var walkedKeys = []string{
	"a", "a-b", "a-b/x", "a/1", "a/b-c", "a/b/2", "a/b/3", "a/c", "a.d", "a0", "b", "b/1", "b-1",
	"c/x/y/z", "d",
}

// requireSameListings lists both buckets after a key, with limits and in pages, and requires equal entries.
func requireSameListings(t *testing.T, want, got storage.Bucket, startAfter string, opts []storage.ListOption) {
	t.Helper()
	limits := map[string][]storage.ListOption{
		"whole":                    nil,
		"limited":                  {storage.WithLimit(4)},
		"limited, in small pages":  {storage.WithLimit(7), storage.WithPageSize(2)},
		"by requests of one entry": {storage.WithPageSize(1)},
	}
	start := []storage.ListOption{storage.WithStartAfter(startAfter)}
	for name, limit := range limits {
		all := slices.Concat(opts, limit, start)
		wantEntries, err := entriesOf(t, want, all)
		require.NoError(t, err)
		gotEntries, err := entriesOf(t, got, all)
		require.NoError(t, err)
		require.Equal(t, wantEntries, gotEntries, name)
	}
	require.Equal(t, pagesOf(t, want, startAfter, opts), pagesOf(t, got, startAfter, opts), "in pages")
}

// If a store lists by folders, List still returns the same entries, in byte order, as for any other store.
func TestListByFoldersIsInByteOrder(t *testing.T) {
	stores := []struct {
		name   string
		layer  driver.Layer
		prefix string // of the view that is listed; "" for the whole bucket
	}{
		{
			name:  "by names",
			layer: func(next driver.Driver) driver.Driver { return folderLister{next, byName} },
		},
		{
			name:  "by bytes",
			layer: func(next driver.Driver) driver.Driver { return folderLister{next, byBytes} },
		},
		{
			name:  "slashes",
			layer: func(next driver.Driver) driver.Driver { return slashOnly{next} },
		},
		{
			name:   "in a folder",
			layer:  func(next driver.Driver) driver.Driver { return folderLister{next, byName} },
			prefix: "p/q/",
		},
	}
	listings := map[string][]storage.ListOption{
		"everything":                     nil,
		"a prefix":                       {storage.WithPrefix("a")},
		"a folder":                       {storage.WithPrefix("a/")},
		"a folder and what has its name": {storage.WithPrefix("b")},
		"nothing":                        {storage.WithPrefix("nothing/")},
		"one level":                      {storage.WithDelimiter("/")},
		"one level of a folder":          {storage.WithPrefix("a/"), storage.WithDelimiter("/")},
		"another delimiter":              {storage.WithDelimiter("-")},
		"another delimiter in a folder":  {storage.WithPrefix("a/"), storage.WithDelimiter("-")},
		"a delimiter of several bytes":   {storage.WithDelimiter("-b")},
	}
	startsAfter := map[string]string{
		"from the beginning": "",
		"after a key":        "a/b-c",
		"after a name":       "a-b",
		"after a folder":     "a/",
	}
	for _, tt := range stores {
		// Both buckets have the same objects, but only one lists by folders.
		d := memstore.NewDriver(memstore.Config{})
		ordinary := engine.New(d)
		byFolders := engine.New(d, driver.WithLayer(tt.layer))
		if tt.prefix != "" {
			ordinary = storage.Prefixed(ordinary, tt.prefix)
			byFolders = storage.Prefixed(byFolders, tt.prefix)
		}
		for _, key := range walkedKeys {
			_, err := ordinary.Upload(t.Context(), key, strings.NewReader(key))
			require.NoError(t, err)
		}

		for listing, opts := range listings {
			for start, startAfter := range startsAfter {
				t.Run(tt.name+"/"+listing+" "+start, func(t *testing.T) {
					// Compare both buckets, also in pages and with limits.
					requireSameListings(t, ordinary, byFolders, startAfter, opts)
				})
			}
		}
	}
}

// entriesOf returns the names of the entries of a listing, as nameOf has them.
func entriesOf(t *testing.T, bucket storage.Bucket, opts []storage.ListOption) (keys []string, err error) {
	t.Helper()
	for entry, err := range bucket.List(t.Context(), opts...) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, nameOf(entry))
	}
	return keys, nil
}

// pagesOf lists by ListPage, two entries at a time. Only the first page takes WithStartAfter.
func pagesOf(t *testing.T, bucket storage.Bucket, startAfter string, opts []storage.ListOption) (pages [][]string) {
	t.Helper()
	start := []storage.ListOption{storage.WithStartAfter(startAfter)}
	for token := ""; token != "" || pages == nil; start = nil {
		require.Less(t, len(pages), 100)
		pageOpts := slices.Concat(opts, start, []storage.ListOption{storage.WithPageSize(2)})
		page, err := storage.ListPage(t.Context(), bucket, token, pageOpts...)
		require.NoError(t, err)
		keys := []string{}
		for _, entry := range page.Entries {
			keys = append(keys, nameOf(entry))
		}
		pages = append(pages, keys)
		token = page.Token
	}
	return pages
}

func nameOf(entry storage.ListEntry) string {
	if entry.IsPrefix {
		return entry.Key + " (prefix)"
	}
	return entry.Key
}

// List fails if the driver lists a folder out of order, because a caller that merges listings or continues after a key
// would miss entries.
func TestListRefusesUnorderedFolder(t *testing.T) {
	tests := map[string]struct {
		order func(folder []storage.ListEntry) // changes the entries of a folder, which come in byte order
		keys  []string
	}{
		"objects in reverse": {order: slices.Reverse[[]storage.ListEntry], keys: []string{"a", "b"}},
		"folders in reverse": {
			order: slices.Reverse[[]storage.ListEntry],
			keys:  []string{"a/x", "b/x"},
		},
		"folders and an object in reverse": {
			order: slices.Reverse[[]storage.ListEntry],
			keys:  []string{"a/x", "a-", "b/x"},
		},
		// The folder a/ is listed as an entry of itself.
		"the folder itself as its entry": {
			order: func(folder []storage.ListEntry) {
				for i := range folder {
					if folder[i].Key == "a/x" {
						folder[i] = storage.ListEntry{Key: "a/", IsPrefix: true}
					}
				}
			},
			keys: []string{"a/x"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// The driver lists one folder at a time, in this order.
			d := memstore.NewDriver(memstore.Config{})
			bucket := engine.New(folderLister{d, tt.order})
			for _, key := range tt.keys {
				_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
				require.NoError(t, err)
			}

			// The engine cannot sort the folder, because each page has one entry.
			_, err := entriesOf(t, bucket, []storage.ListOption{storage.WithPageSize(1)})
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "does not list keys in byte order")
		})
	}
}

// A listing that lists folder by folder ends when ctx ends.
func TestListByFoldersEndsWithContext(t *testing.T) {
	// The driver lists one folder at a time, so the engine walks the folders.
	bucket := engine.New(folderLister{memstore.NewDriver(memstore.Config{}), byName})
	for _, key := range walkedKeys {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}

	// Cancel ctx after a key within a folder.
	const lastKey = "a/b/2"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var keys []string
	var lastErr error
	for entry, err := range bucket.List(ctx, storage.WithPageSize(1)) {
		lastErr = err
		if err == nil {
			keys = append(keys, entry.Key)
		}
		if entry.Key == lastKey {
			cancel()
		}
	}

	require.ErrorIs(t, lastErr, storage.Canceled)
	require.Equal(t, lastKey, keys[len(keys)-1])
}

// List of a store that lists in no order needs WithAnyOrder, and refuses options that need an order.
func TestListUnorderedStore(t *testing.T) {
	// The bucket lists d backwards, and supports only slashes as delimiters.
	d := memstore.NewDriver(memstore.Config{})
	bucket := engine.New(reversedLister{slashOnly{d}})
	for _, key := range []string{"a", "b", "c/1", "c/2"} {
		_, err := engine.New(d).Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}
	tests := []struct {
		name     string
		opts     []storage.ListOption
		want     []string // keys in the order of the listing
		wantHint string   // part of the hint, or "" if the listing succeeds
	}{
		{
			name: "any order",
			opts: []storage.ListOption{storage.WithAnyOrder()},
			want: []string{"c/2", "c/1", "b", "a"},
		},
		{
			name: "a prefix in any order",
			opts: []storage.ListOption{storage.WithAnyOrder(), storage.WithPrefix("c/")},
			want: []string{"c/2", "c/1"},
		},
		{name: "without WithAnyOrder", want: nil, wantHint: "list with WithAnyOrder"},
		{
			name:     "after a key",
			opts:     []storage.ListOption{storage.WithAnyOrder(), storage.WithStartAfter("a")},
			want:     nil,
			wantHint: "list without it",
		},
		{
			name:     "another delimiter",
			opts:     []storage.ListOption{storage.WithAnyOrder(), storage.WithDelimiter("-")},
			want:     nil,
			wantHint: `use "/"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := entriesOf(t, bucket, tt.opts)
			require.Equal(t, tt.want, keys)
			if tt.wantHint != "" {
				require.Equal(t, storage.Unsupported, storage.CodeOf(err))
				require.ErrorContains(t, err, tt.wantHint)
			}
		})
	}
}

// reversedLister is a driver that lists backwards, and declares no order.
type reversedLister struct{ driver.Driver }

func (d reversedLister) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.OrderedListing
	return desc
}

func (d reversedLister) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		slices.Reverse(page.Entries)
	}
	return page, err
}

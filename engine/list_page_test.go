package engine_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A wholePages driver returns all entries in one page, and its listings must not begin in the middle.
type wholePages struct{ driver.Driver }

func (d *wholePages) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.StartsAfter = func() bool { return false }
	return desc
}

func (d *wholePages) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	all := *r
	all.Limit = 1_000
	return d.Driver.List(ctx, &all)
}

// If a driver returns more entries than requested, ListPage cuts the page.
func TestListPageTooLong(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return &wholePages{next}
	}))
	keys := []string{"a", "b", "c", "d", "e"}
	for _, key := range keys {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}

	var got []string
	for page := range pagesOfBucket(t, bucket, storage.WithPageSize(2)) {
		require.LessOrEqual(t, len(page.Entries), 2)
		for _, entry := range page.Entries {
			got = append(got, entry.Key)
		}
	}
	require.Equal(t, keys, got)
}

// pagesOfBucket yields the pages of a bucket, from the first to the last.
func pagesOfBucket(t *testing.T, b storage.Bucket, opts ...storage.ListOption) iter.Seq[*storage.Page] {
	t.Helper()
	return func(yield func(*storage.Page) bool) {
		token := ""
		for {
			page, err := storage.ListPage(t.Context(), b, token, opts...)
			require.NoError(t, err)
			if !yield(page) || page.Token == "" {
				return
			}
			token = page.Token
		}
	}
}

// A reversedPages driver returns the entries of a page backwards.
type reversedPages struct {
	driver.Driver
	hint string
}

func (d *reversedPages) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.OrderHint = d.hint
	return desc
}

func (d *reversedPages) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		slices.Reverse(page.Entries)
	}
	return page, err
}

// If a listing is out of order, the hint is the driver's own, or else one for the author of the driver.
func TestListOutOfOrderHint(t *testing.T) {
	tests := []struct {
		name       string
		driverHint string
		want       string
	}{
		{name: "its own", driverHint: "name the profile", want: "name the profile"},
		{
			name:       "none of its own",
			driverHint: "",
			want: "report this to the author of the driver of memory: " +
				"it must list in byte order, or declare FolderOrder",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
				return &reversedPages{next, tt.driverHint}
			}))
			for _, key := range []string{"a", "b"} {
				_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
				require.NoError(t, err)
			}

			_, err := storage.ListPage(t.Context(), bucket, "")
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.Unsupported, storageErr.Code)
			require.Equal(t, tt.want, storageErr.Hint)
		})
	}
}

// If a store lists whole folders in any order, ListPage of a prefix within a folder needs at most 8 listings for
// 400 objects.
func TestListPageOfUnorderedStore(t *testing.T) {
	injector := faults.New()
	bucket := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}),
		driver.WithLayer(injector.Layer()))
	const objects = 200 // of each prefix
	for i := range objects {
		for _, prefix := range []string{"folder/x", "folder/y"} {
			_, err := bucket.Upload(t.Context(), fmt.Sprint(prefix, i), strings.NewReader(""))
			require.NoError(t, err)
		}
	}

	const pageSize = 50
	opts := []storage.ListOption{
		storage.WithAnyOrder(),
		storage.WithPrefix("folder/x"),
		storage.WithPageSize(pageSize),
	}
	keys := map[string]bool{}
	for page := range pagesOfBucket(t, bucket, opts...) {
		require.LessOrEqual(t, len(page.Entries), pageSize)
		for _, entry := range page.Entries {
			keys[entry.Key] = true
		}
	}
	require.Len(t, keys, objects)
	require.LessOrEqual(t, injector.Count(faults.List), 8)
}

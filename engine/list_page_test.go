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

// ListPage returns no more entries than requested, and loses none, if the driver returns more.
func TestListPageTooLong(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return &wholePages{next}
	}))
	keys := []string{"a", "b", "c", "d", "e"}
	for _, key := range keys {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}

	const pageSize = 2
	var got []string
	for page := range pagesOfBucket(t, bucket, storage.WithPageSize(pageSize)) {
		require.LessOrEqual(t, len(page.Entries), pageSize)
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

// The error for a listing that is out of order has the driver's hint, or else one for the author of the driver.
func TestListOutOfOrderHint(t *testing.T) {
	tests := []struct {
		name       string
		driverHint string
		want       string
	}{
		{name: "hint of the driver", driverHint: "name the profile", want: "name the profile"},
		{
			name:       "no hint of the driver",
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

			// The driver lists b before a.
			_, err := storage.ListPage(t.Context(), bucket, "")
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.Unsupported, storageErr.Code)
			require.Equal(t, tt.want, storageErr.Hint)
		})
	}
}

// If the store lists the entries of a folder in any order, it must list the folder as a whole. ListPage of a prefix
// within a folder then needs few listings.
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

	// List the objects of one of the two prefixes.
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

	// The folder has eight pages of objects.
	const maxListings = 2 * objects / pageSize
	require.LessOrEqual(t, injector.Count(faults.List), maxListings)
}

package engine_test

import (
	"context"
	"fmt"
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

// An unlimited store returns all entries in each page, and its listings must not begin in the middle.
type unlimited struct{ driver.Driver }

func (d *unlimited) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.StartsAfter = func() bool { return false }
	return desc
}

func (d *unlimited) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	all := *r
	all.Limit = 1_000
	return d.Driver.List(ctx, &all)
}

// If a driver returns more entries than requested, ListPage cuts the page.
func TestListPageTooLong(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver { return &unlimited{next} }))
	all := []string{"a", "b", "c", "d", "e"}
	for _, key := range all {
		_, err := b.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}

	var got []string
	for token := ""; ; {
		page, err := storage.ListPage(t.Context(), b, token, storage.WithPageSize(2))
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Entries), 2)
		for _, entry := range page.Entries {
			got = append(got, entry.Key)
		}
		token = page.Token
		if token == "" {
			break
		}
	}
	require.Equal(t, all, got)
}

// A disordered store returns the entries of a page backwards.
type disordered struct {
	driver.Driver
	hint string
}

func (d *disordered) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.OrderHint = d.hint
	return desc
}

func (d *disordered) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		slices.Reverse(page.Entries)
	}
	return page, err
}

// If a listing is out of order, the hint is the driver's own, or else one for the author of the driver.
func TestListOutOfOrderHint(t *testing.T) {
	tests := []struct{ name, of, want string }{
		{"its own", "name the profile", "name the profile"},
		{"none of its own", "", "report this to the author of the driver of memory: it must list in byte order, or declare FolderOrder"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
				return &disordered{next, tt.of}
			}))
			for _, key := range []string{"a", "b"} {
				_, err := b.Upload(t.Context(), key, strings.NewReader(""))
				require.NoError(t, err)
			}
			var e *storage.Error
			_, err := storage.ListPage(t.Context(), b, "")
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Equal(t, tt.want, e.Hint)
		})
	}
}

// If a store lists whole folders in any order, ListPage of a prefix within a folder needs at most 8 listings for
// 400 objects.
func TestListPageOfUnorderedStore(t *testing.T) {
	injector := faults.New()
	b := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}), driver.WithLayer(injector.Layer()))
	for i := range 400 {
		_, err := b.Upload(t.Context(), fmt.Sprintf("folder/%c%d", "xy"[i%2], i), strings.NewReader(""))
		require.NoError(t, err)
	}

	keys := map[string]bool{}
	for token := ""; ; {
		page, err := storage.ListPage(t.Context(), b, token, storage.WithAnyOrder(),
			storage.WithPrefix("folder/x"), storage.WithPageSize(50))
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Entries), 50)
		for _, entry := range page.Entries {
			keys[entry.Key] = true
		}
		token = page.Token
		if token == "" {
			break
		}
	}
	require.Len(t, keys, 200)
	require.LessOrEqual(t, injector.Count(faults.List), 8)
}

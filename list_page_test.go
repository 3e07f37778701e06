package storage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// An unlimited store returns all entries in each page, and its listings must not begin in the middle.
type unlimited struct{ driver.Driver }

func (d *unlimited) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.StartsAfter = func(string, string) bool { return false }
	return desc
}

func (d *unlimited) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	all := *r
	all.Limit = 1_000
	return d.Driver.List(ctx, &all)
}

func TestAPageOfAStoreThatReturnsMoreThanRequestedIsCut(t *testing.T) {
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
		if token = page.Token; token == "" {
			break
		}
	}
	require.Equal(t, all, got)
}

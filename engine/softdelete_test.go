package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// withoutIDs lists what was removed without versions, as Azure does in an account without any.
type withoutIDs struct{ driver.Driver }

func (d withoutIDs) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	page, err := d.Driver.ListVersions(ctx, r)
	if err == nil {
		for i := range page.Entries {
			page.Entries[i].Version = ""
		}
	}
	return page, err
}

// If a store lists removed objects without version ids, Versions with WithSoftDeleted returns each of them once.
func TestListVersionsOfRemovedObjectsEnds(t *testing.T) {
	const keys = 150 // more pages than may bring nothing
	b := memstore.New(storage.WithSoftDelete(time.Hour), driver.WithLayer(func(d driver.Driver) driver.Driver { return withoutIDs{d} }))
	var all []string
	for i := range keys {
		all = append(all, fmt.Sprintf("%03d", i))
		_, err := b.Upload(t.Context(), all[i], strings.NewReader(""))
		require.NoError(t, err)
	}
	_, err := storage.RemoveAll(t.Context(), b, slices.Values(all))
	require.NoError(t, err)
	var listed []string
	for v, err := range storage.Versions(t.Context(), b, storage.WithSoftDeleted(), storage.WithPageSize(1)) {
		require.NoError(t, err)
		listed = append(listed, v.Key)
	}

	require.Equal(t, all, listed)
}

// If the response to Restore is lost and an object is there afterwards, Restore fails with OutcomeUnknown, because
// another writer may have stored it.
func TestRestoreLostResponse(t *testing.T) {
	injected := faults.New()
	b := memstore.New(storage.WithSoftDelete(time.Hour), driver.WithLayer(injected.Layer()),
		storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, b.Remove(t.Context(), "a"))
	injected.Set(faults.Fail(faults.Any).Nth(1))
	require.NoError(t, storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted()),
		"nothing was done, and the request is repeated")
	require.NoError(t, b.Remove(t.Context(), "a"))
	injected.Reset()
	injected.Set(faults.DropResponse(faults.Any).Nth(1))

	require.ErrorIs(t, storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted()),
		storage.OutcomeUnknown)
	exists, err := b.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, exists)
}

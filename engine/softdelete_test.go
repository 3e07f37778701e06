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

// A withoutIDs driver lists removed objects without the ids of versions, as Azure does in an account without versions.
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

// Versions with WithSoftDeleted returns each removed object once, even if the store lists them without version ids.
func TestListVersionsOfRemovedObjectsEnds(t *testing.T) {
	// A listing ends after 100 pages without a new entry. With one entry per page, this many keys give more pages than
	// that.
	const keyCount = 150
	withoutVersionIDs := driver.WithLayer(func(d driver.Driver) driver.Driver {
		return withoutIDs{d}
	})
	bucket := memstore.New(storage.WithSoftDelete(time.Hour), withoutVersionIDs)

	// Upload and remove objects.
	var keys []string
	for i := range keyCount {
		key := fmt.Sprintf("%03d", i)
		keys = append(keys, key)
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}
	_, err := storage.RemoveAll(t.Context(), bucket, slices.Values(keys))
	require.NoError(t, err)

	var listed []string
	for version, err := range storage.Versions(t.Context(), bucket, storage.WithSoftDeleted(), storage.WithPageSize(1)) {
		require.NoError(t, err)
		listed = append(listed, version.Key)
	}
	require.Equal(t, keys, listed)
}

// newSoftDeletedObject returns a bucket whose object "a" is soft-deleted, with its faults.
func newSoftDeletedObject(t *testing.T) (storage.Bucket, *faults.Injector) {
	t.Helper()
	injector := faults.New()
	bucket := memstore.New(
		storage.WithSoftDelete(time.Hour),
		driver.WithLayer(injector.Layer()),
		storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}),
	)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, bucket.Remove(t.Context(), "a"))
	injector.Reset()
	return bucket, injector
}

// If the request of Restore is lost, Restore sends it again.
func TestRestoreLostRequest(t *testing.T) {
	bucket, injector := newSoftDeletedObject(t)
	injector.Set(faults.Fail(faults.Any).Nth(1))
	require.NoError(t, storage.Restore(t.Context(), bucket, "a", storage.WithSoftDeleted()))
}

// Restore fails with OutcomeUnknown if its response is lost and an object is there, which another writer may have
// stored.
func TestRestoreLostResponse(t *testing.T) {
	bucket, injector := newSoftDeletedObject(t)
	injector.Set(faults.DropResponse(faults.Any).Nth(1))
	err := storage.Restore(t.Context(), bucket, "a", storage.WithSoftDeleted())
	require.ErrorIs(t, err, storage.OutcomeUnknown)

	exists, err := bucket.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, exists)
}

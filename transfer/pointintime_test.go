package transfer_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// newVersionedStores returns stores that keep versions.
func newVersionedStores(t *testing.T) map[string]storage.Bucket {
	t.Helper()
	account := memstore.NewService(memstore.ServiceConfig{})
	_, err := account.CreateBucket(t.Context(), "kept", storage.WithVersioning(true))
	require.NoError(t, err)
	memory, err := account.Bucket("kept", storage.WithVersioning(true))
	require.NoError(t, err)
	disk, err := local.NewService(t.TempDir(), local.Config{})
	require.NoError(t, err)
	_, err = disk.CreateBucket(t.Context(), "kept", storage.WithVersioning(true))
	require.NoError(t, err)
	directory, err := disk.Bucket("kept", storage.WithVersioning(true))
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, b := range []storage.Bucket{memory, directory} {
			require.NoError(t, storage.Close(b))
		}
		require.NoError(t, disk.Close())
	})
	return map[string]storage.Bucket{"memory": memory, "directory": directory}
}

// put stores an object, and returns its time.
func put(t *testing.T, b storage.Uploader, key, text string) time.Time {
	t.Helper()
	attrs, err := b.Upload(t.Context(), key, file(text))
	require.NoError(t, err)
	return attrs.Modified
}

// Undelete brings back the objects that were removed, and no others.
func TestUndelete(t *testing.T) {
	for name, b := range newVersionedStores(t) {
		t.Run(name, func(t *testing.T) {
			put(t, b, "a", "one")
			put(t, b, "a", "two")
			put(t, b, "b", "three")
			put(t, b, "c", "four")
			require.NoError(t, b.Remove(t.Context(), "a"))
			require.NoError(t, b.Remove(t.Context(), "b"))

			// A dry run changes nothing.
			report, err := transfer.Undelete(t.Context(), b, transfer.WithDryRun())
			require.NoError(t, err)
			require.EqualValues(t, 2, report.Transferred)
			require.Equal(t, []string{"c"}, keysOf(contents(t, b)))

			// The first call brings back only "a".
			report, err = transfer.Undelete(t.Context(), b, transfer.WithInclude("a"))
			require.NoError(t, err)
			require.EqualValues(t, 1, report.Transferred)
			text, _, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.Equal(t, "two", string(text))
			_, err = b.Attrs(t.Context(), "b")
			require.ErrorIs(t, err, storage.ObjectNotFound)

			// The second call brings back the rest, and the third one finds nothing to do.
			_, err = transfer.Undelete(t.Context(), b)
			require.NoError(t, err)
			report, err = transfer.Undelete(t.Context(), b)
			require.NoError(t, err)
			require.Zero(t, report.Transferred)
			require.ElementsMatch(t, []string{"a", "b", "c"}, keysOf(contents(t, b)))
		})
	}
}

// RestoreAt brings objects back to their state at a time. With WithDelete, it also removes the
// objects that did not exist at that time.
func TestRestoreAt(t *testing.T) {
	for name, b := range newVersionedStores(t) {
		t.Run(name, func(t *testing.T) {
			// These objects exist at the time in the variable when.
			put(t, b, "changed", "one")
			put(t, b, "removed", "old")
			put(t, b, "gone before", "x")
			require.NoError(t, b.Remove(t.Context(), "gone before"))
			when := put(t, b, "stays", "same")
			waitForLaterTime(t, when, b) // writes the object "clock"

			// Then they change.
			put(t, b, "changed", "two")
			require.NoError(t, b.Remove(t.Context(), "removed"))
			put(t, b, "new", "new")

			want := map[string]string{"changed": "one", "removed": "old", "stays": "same", "new": "new"}
			report, err := transfer.RestoreAt(t.Context(), b, when, transfer.WithExclude("clock"))
			require.NoError(t, err)
			require.EqualValues(t, 2, report.Transferred)
			require.EqualValues(t, 1, report.Skipped)
			requireTexts(t, b, want)

			// With WithDelete, the object that did not exist at the time when is removed.
			delete(want, "new")
			report, err = transfer.RestoreAt(t.Context(), b, when, transfer.WithExclude("clock"),
				transfer.WithDelete())
			require.NoError(t, err)
			require.EqualValues(t, 1, report.Deleted)
			requireTexts(t, b, want)
		})
	}
}

// waitForLaterTime writes the object "clock" until its time is later than the given one.
func waitForLaterTime(t *testing.T, than time.Time, b storage.Uploader) {
	t.Helper()
	for !put(t, b, "clock", "").After(than) {
		continue
	}
}

// requireTexts requires that the bucket has these objects. Besides them, it may only have the
// object of waitForLaterTime.
func requireTexts(t *testing.T, b storage.Bucket, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for e, err := range b.List(t.Context()) {
		require.NoError(t, err)
		if e.Key == "clock" {
			continue
		}
		text, _, err := storage.ReadAll(t.Context(), b, e.Key)
		require.NoError(t, err)
		got[e.Key] = string(text)
	}
	require.Equal(t, want, got)
}

// Undelete fails with Unsupported if the bucket keeps neither versions nor removed objects.
func TestUndeleteNeedsVersions(t *testing.T) {
	keepsNothing := faults.WithLimits(faults.Limits{Disable: storage.SoftDelete})
	b := memstore.New(driver.WithLayer(keepsNothing))

	_, err := transfer.Undelete(t.Context(), b)
	require.ErrorIs(t, err, storage.Unsupported)
}

// RestoreAt fails with Canceled if ctx is canceled.
func TestRestoreAtCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, b := range newVersionedStores(t) {
		t.Run(name, func(t *testing.T) {
			_, err := transfer.RestoreAt(ctx, b, time.Now())
			require.ErrorIs(t, err, storage.Canceled)
		})
	}
}

// If Undelete cannot remove the delete markers of a key, it counts the key as failed, and only
// once.
func TestUndeleteCountsNoKeyWhoseMarkersAreStillThere(t *testing.T) {
	tests := []struct {
		name          string
		keys, markers int
	}{
		{name: "many keys with few markers", keys: 900, markers: 2},
		{name: "keys with more markers than a batch", keys: 3, markers: 1200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Each key of this store has tt.markers delete markers. The store refuses to remove
			// them.
			d := &markedKeys{
				Driver:  memstore.NewDriver(memstore.Config{}),
				keys:    tt.keys,
				markers: tt.markers,
			}

			report, err := transfer.Undelete(t.Context(), engine.New(d, storage.WithVersioning(true)))
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Zero(t, report.Transferred)
			require.EqualValues(t, tt.keys, report.Failed)
			require.EqualValues(t, tt.keys*tt.markers, d.refused.Load())
		})
	}
}

// If Undelete is canceled, its report has a failure for each object that may have been restored.
func TestUndeleteInterrupted(t *testing.T) {
	// The store has three keys with a delete marker each. It cancels ctx when Undelete removes markers.
	ctx, cancel := context.WithCancel(t.Context())
	d := &markedKeys{
		Driver:      memstore.NewDriver(memstore.Config{}),
		keys:        3,
		markers:     1,
		interrupted: cancel,
	}

	report, err := transfer.Undelete(ctx, engine.New(d, storage.WithVersioning(true)))
	require.ErrorIs(t, err, storage.Canceled)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.Zero(t, report.Transferred)
	require.Len(t, report.Failures, d.keys)
}

// markedKeys is a driver whose objects lie below delete markers. Its DeleteBatch always fails, so the markers stay.
type markedKeys struct {
	driver.Driver
	keys, markers int
	refused       atomic.Int64
	interrupted   func() // called by the first batch, whose outcome is unknown then
}

// Describe returns the description of a store with versions.
func (d *markedKeys) Describe() driver.Description {
	return driver.Description{
		Provider:  "test",
		Bucket:    "marked",
		Features:  storage.Versioning | storage.OrderedListing,
		Versioned: true,
		MaxBatch:  1000,
		MaxPage:   1000,
	}
}

// ListVersions returns all versions of all keys in one page. For each key, it returns the delete
// markers and then an object.
func (d *markedKeys) ListVersions(context.Context, *driver.ListRequest) (*driver.VersionPage, error) {
	page := &driver.VersionPage{}
	for key := range d.keys {
		for version := range d.markers + 1 {
			page.Entries = append(page.Entries, storage.VersionEntry{
				ListEntry:      storage.ListEntry{Key: fmt.Sprintf("%04d", key)},
				Version:        strconv.Itoa(d.markers - version + 1),
				IsDeleteMarker: version < d.markers,
			})
		}
	}
	return page, nil
}

// DeleteBatch counts the versions and refuses to delete them.
func (d *markedKeys) DeleteBatch(_ context.Context, batch []driver.DeleteRequest) []error {
	d.refused.Add(int64(len(batch)))
	if d.interrupted != nil {
		d.interrupted()
		err := &storage.Error{Code: storage.Canceled, Unknown: true, Err: context.Canceled}
		return slices.Repeat([]error{err}, len(batch))
	}
	return slices.Repeat([]error{storage.PermissionDenied}, len(batch))
}

// Undelete removes delete markers in batches of a thousand. It sends no request for a single key.
func TestUndeleteInBatches(t *testing.T) {
	const (
		keys  = 10_000
		batch = 1000
	)
	var recorder calls
	b := memstore.New(storage.WithVersioning(true), recorder.layer())
	for i := range keys {
		put(t, b, fmt.Sprintf("%05d", i), "x")
	}
	_, err := storage.RemoveMatching(t.Context(), b, nil)
	require.NoError(t, err)

	// Count the pages that a listing of all versions has.
	clear(recorder.of)
	for _, err := range storage.Versions(t.Context(), b) {
		require.NoError(t, err)
	}
	pages := recorder.count("ListVersions")

	// Count the requests of Undelete.
	clear(recorder.of)
	report, err := transfer.Undelete(t.Context(), b)
	require.NoError(t, err)
	require.EqualValues(t, keys, report.Transferred)

	// One more request lists the objects that are soft-deleted.
	want := map[string]int{"ListVersions": pages + 1, "DeleteBatch": keys / batch}
	require.Equal(t, want, recorder.of)
}

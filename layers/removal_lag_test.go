package layers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// newLaggingMirror returns a mirror whose second store lags. The object "old" is in both stores,
// the object "new" only in the primary. The second store has an old version of the object
// "changed". The primary cannot list, so listings of the bucket come from the second store.
func newLaggingMirror(t *testing.T) (b storage.Bucket, failing *faults.Injector) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	clock := now.Add(-100 * 24 * time.Hour)
	second := engine.New(memstore.NewDriver(memstore.Config{Now: func() time.Time { return clock }}))
	for _, key := range []string{"changed", "old"} {
		_, err := second.Upload(t.Context(), key, strings.NewReader("old"))
		require.NoError(t, err)
	}
	layer, err := mirror.New(second, mirror.Config{Probe: time.Nanosecond})
	require.NoError(t, err)
	failing = faults.New()
	primary := memstore.NewDriver(memstore.Config{Now: func() time.Time { return now }})
	for _, key := range []string{"changed", "new", "old"} {
		_, err := engine.New(primary).Upload(t.Context(), key, strings.NewReader("new"))
		require.NoError(t, err)
	}
	b = engine.New(primary, storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(failing.Layer()),
		driver.WithLayer(layer))
	failing.Set(faults.Fail(faults.List))
	return b, failing
}

// While the primary of a mirror cannot list, its second store would list old objects, and lack new ones. A job that would
// remove or omit objects because of such a listing fails, and changes nothing.
func TestListLaggingRemovesNothing(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	atNow := transfer.WithNow(func() time.Time { return now })
	newOther := func(t *testing.T) storage.Bucket {
		b := memstore.New()
		for _, key := range []string{"changed", "new", "old"} {
			_, err := b.Upload(t.Context(), key, strings.NewReader("new"))
			require.NoError(t, err)
		}
		return b
	}
	tests := []struct {
		name string
		job  func(ctx context.Context, mirrored, other storage.Bucket) error
	}{
		{
			name: "a copy out of the mirror, with WithDelete",
			job: func(ctx context.Context, mirrored, other storage.Bucket) error {
				_, err := transfer.Copy(ctx, other, mirrored, transfer.WithDelete())
				return err
			},
		},
		{
			name: "a copy into the mirror, with WithDelete",
			job: func(ctx context.Context, mirrored, other storage.Bucket) error {
				_, err := transfer.Copy(ctx, mirrored, other, transfer.WithDelete())
				return err
			},
		},
		{
			name: "a move out of the mirror",
			job: func(ctx context.Context, mirrored, other storage.Bucket) error {
				_, err := transfer.Sync(ctx, transfer.Bucket(other), transfer.Bucket(mirrored), transfer.WithMove())
				return err
			},
		},
		{
			name: "a comparison",
			job: func(ctx context.Context, mirrored, other storage.Bucket) error {
				_, err := transfer.Compare(ctx, transfer.Bucket(other), transfer.Bucket(mirrored), nil)
				return err
			},
		},
		{
			name: "Expire",
			job: func(ctx context.Context, mirrored, _ storage.Bucket) error {
				_, err := transfer.Expire(ctx, mirrored, []transfer.ExpireRule{{Age: 24 * time.Hour}}, atNow)
				return err
			},
		},
		{
			name: "Remove of old objects",
			job: func(ctx context.Context, mirrored, _ storage.Bucket) error {
				_, err := transfer.Remove(ctx, mirrored, atNow, transfer.WithModifiedBefore(now.Add(-time.Hour)))
				return err
			},
		},
		{
			name: "RemoveMatching of old objects",
			job: func(ctx context.Context, mirrored, _ storage.Bucket) error {
				isOld := func(e storage.ListEntry) bool { return now.Sub(e.Modified) > time.Hour }
				_, err := storage.RemoveMatching(ctx, mirrored, isOld)
				return err
			},
		},
		{
			name: "Finish of an overlay whose old store is the mirror",
			job: func(ctx context.Context, mirrored, _ storage.Bucket) error {
				overlaid, err := overlayOver(mirrored)
				if err != nil {
					return err
				}
				_, err = overlay.Finish(ctx, overlaid, overlay.FinishConfig{})
				return err
			},
		},
		{
			name: "Left of an overlay whose old store is the mirror",
			job: func(ctx context.Context, mirrored, _ storage.Bucket) error {
				overlaid, err := overlayOver(mirrored)
				if err != nil {
					return err
				}
				_, err = overlay.Left(ctx, overlaid)
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mirrored, failing := newLaggingMirror(t)
			other := newOther(t)
			require.ErrorIs(t, tt.job(t.Context(), mirrored, other), storage.Unavailable)

			// When the primary can list again, both buckets still have all objects.
			failing.Set()
			for _, bucket := range []storage.Bucket{mirrored, other} {
				for _, key := range []string{"changed", "new", "old"} {
					data, _, err := storage.ReadAll(t.Context(), bucket, key)
					require.NoError(t, err, key)
					require.Equal(t, "new", string(data), key)
				}
			}
		})
	}
}

func overlayOver(old storage.Bucket) (storage.Bucket, error) {
	layer, err := overlay.New(old, overlay.Config{})
	return memstore.New(driver.WithLayer(layer)), err
}

// A listing of a mirror may use the second store if nothing is removed because of it.
func TestListFailsOverIfNothingIsRemoved(t *testing.T) {
	b, _ := newLaggingMirror(t)
	var keys []string
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	require.Equal(t, []string{"changed", "old"}, keys)
}

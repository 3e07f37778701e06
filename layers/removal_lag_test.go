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

// newLaggingMirror returns a mirror whose second store lags. The object "old" is in both stores, the object "new"
// only in the primary. The second store has an old version of the object "changed". The primary cannot list, so
// listings of the bucket fail over.
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

// If a mirror's second store lags, its listing may lack objects and show removed ones. A job neither removes nor omits
// an object because of that.
func TestListLaggingRemovesNothing(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	aged := []transfer.Option{transfer.WithNow(func() time.Time { return now })}
	backup := func(t *testing.T) storage.Bucket {
		b := memstore.New()
		for _, key := range []string{"changed", "new", "old"} {
			_, err := b.Upload(t.Context(), key, strings.NewReader("new"))
			require.NoError(t, err)
		}
		return b
	}
	tests := []struct {
		name string
		job  func(ctx context.Context, b, other storage.Bucket) error
	}{
		{"a copy that deletes what the mirror does not list", func(
			ctx context.Context, b, other storage.Bucket,
		) error {
			_, err := transfer.Copy(ctx, other, b, transfer.WithDelete())
			return err
		}},
		{"a copy into the mirror that deletes", func(ctx context.Context, b, other storage.Bucket) error {
			_, err := transfer.Copy(ctx, b, other, transfer.WithDelete())
			return err
		}},
		{"a move out of the mirror", func(ctx context.Context, b, other storage.Bucket) error {
			_, err := transfer.Sync(ctx, transfer.Bucket(other), transfer.Bucket(b), transfer.WithMove())
			return err
		}},
		{"a comparison", func(ctx context.Context, b, other storage.Bucket) error {
			_, err := transfer.Compare(ctx, transfer.Bucket(other), transfer.Bucket(b), nil)
			return err
		}},
		{"Expire", func(ctx context.Context, b, _ storage.Bucket) error {
			_, err := transfer.Expire(ctx, b, []transfer.ExpireRule{{Age: 24 * time.Hour}}, aged...)
			return err
		}},
		{"Remove of what is old", func(ctx context.Context, b, _ storage.Bucket) error {
			_, err := transfer.Remove(ctx, b,
				append(aged, transfer.WithModifiedBefore(now.Add(-time.Hour)))...)
			return err
		}},
		{"RemoveMatching", func(ctx context.Context, b, _ storage.Bucket) error {
			_, err := storage.RemoveMatching(ctx, b,
				func(e storage.ListEntry) bool { return now.Sub(e.Modified) > time.Hour })
			return err
		}},
		{"Finish of an overlay", func(ctx context.Context, b, _ storage.Bucket) error {
			moving, err := overlayOver(b)
			if err == nil {
				_, err = overlay.Finish(ctx, moving, overlay.FinishConfig{})
			}
			return err
		}},
		{"Left of an overlay", func(ctx context.Context, b, _ storage.Bucket) error {
			moving, err := overlayOver(b)
			if err == nil {
				_, err = overlay.Left(ctx, moving)
			}
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, failing := newLaggingMirror(t)
			other := backup(t)
			err := tt.job(t.Context(), b, other)
			require.ErrorIs(t, err, storage.Unavailable)
			failing.Set()
			for _, bucket := range []storage.Bucket{b, other} {
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

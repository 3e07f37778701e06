//go:build !race

// With the race detector, a sync.Pool forgets at random what it is given, and allocations are no numbers.

package storage_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A call of a memory bucket makes exactly the allocations of its row, and through Prefixed one to three more.
// Lower the numbers after an improvement.
func TestFurtherAllocationsOfACall(t *testing.T) {
	const prefix, content = "pre/fix/", "some content"
	for _, row := range []struct {
		name     string
		stored   []string // the objects
		call     func(ctx context.Context, b storage.Bucket, key string) error
		whole    float64 // of a call with the whole key
		prefixed float64 // of a call through Prefixed
	}{
		{"Attrs", []string{"key"}, func(ctx context.Context, b storage.Bucket, key string) error {
			return lastError(b.Attrs(ctx, key))
		}, 2, 3},
		{"Exists", []string{"key"}, func(ctx context.Context, b storage.Bucket, key string) error {
			return lastError(b.Exists(ctx, key))
		}, 2, 3},
		{"Exists, of nothing", nil, func(ctx context.Context, b storage.Bucket, key string) error {
			return lastError(b.Exists(ctx, key))
		}, 3, 4},
		{"Upload", []string{"key"}, func(ctx context.Context, b storage.Bucket, key string) error {
			return lastError(b.Upload(ctx, key, strings.NewReader(content)))
		}, 8, 9},
		{"ReadAll", []string{"key"}, func(ctx context.Context, b storage.Bucket, key string) error {
			_, _, err := storage.ReadAll(ctx, b, key)
			return err
		}, 4, 5},
		{"Remove, of nothing", nil, func(ctx context.Context, b storage.Bucket, key string) error {
			return b.Remove(ctx, key)
		}, 1, 2},
		{"Upload and Remove", nil, func(ctx context.Context, b storage.Bucket, key string) error {
			return errors.Join(lastError(b.Upload(ctx, key, strings.NewReader(content))), b.Remove(ctx, key))
		}, 11, 13},
		{"List", []string{"a", "b", "key"}, func(ctx context.Context, b storage.Bucket, _ string) error {
			return lastOf(b.List(ctx))
		}, 9, 11},
		{"List, of a prefix", []string{"a", "b", "key"}, func(ctx context.Context, b storage.Bucket, key string) error {
			return lastOf(b.List(ctx, storage.WithPrefix(key)))
		}, 11, 14},
	} {
		t.Run(row.name, func(t *testing.T) {
			ctx := t.Context()
			b := memstore.New()
			for _, key := range row.stored {
				require.NoError(t, lastError(b.Upload(ctx, prefix+key, strings.NewReader(content))))
			}
			allocations := func(b storage.Bucket, key string) float64 {
				return testing.AllocsPerRun(1000, func() {
					if err := row.call(ctx, b, key); err != nil {
						t.Error(err)
					}
				})
			}
			require.Equal(t, row.whole, allocations(b, prefix+"key"), "with the whole key")
			require.Equal(t, row.prefixed, allocations(storage.Prefixed(b, prefix), "key"), "through Prefixed")
		})
	}
}

func lastOf[T any](all func(yield func(T, error) bool)) (last error) {
	for _, err := range all {
		last = err
	}
	return last
}

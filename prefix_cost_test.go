//go:build !race

// With the race detector, a sync.Pool drops items at random, so allocations cannot be counted.

package storage_test

import (
	"context"
	"errors"
	"iter"
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
	tests := []struct {
		name         string
		stored       []string // the objects
		call         func(ctx context.Context, b storage.Bucket, key string) error
		wantWhole    float64 // allocations of a call with the whole key
		wantPrefixed float64 // allocations of a call through Prefixed
	}{
		{
			name:   "Attrs",
			stored: []string{"key"},
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				return lastError(b.Attrs(ctx, key))
			},
			wantWhole:    2,
			wantPrefixed: 3,
		},
		{
			name:   "Exists",
			stored: []string{"key"},
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				return lastError(b.Exists(ctx, key))
			},
			wantWhole:    2,
			wantPrefixed: 3,
		},
		{
			name: "Exists of a missing object",
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				return lastError(b.Exists(ctx, key))
			},
			wantWhole:    2,
			wantPrefixed: 3,
		},
		{
			name:   "Upload",
			stored: []string{"key"},
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				return lastError(b.Upload(ctx, key, strings.NewReader(content)))
			},
			wantWhole:    8,
			wantPrefixed: 9,
		},
		{
			name:   "ReadAll",
			stored: []string{"key"},
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				_, _, err := storage.ReadAll(ctx, b, key)
				return err
			},
			wantWhole:    4,
			wantPrefixed: 5,
		},
		{
			name: "Remove of a missing object",
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				return b.Remove(ctx, key)
			},
			wantWhole:    1,
			wantPrefixed: 2,
		},
		{
			name: "Upload and Remove",
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				return errors.Join(lastError(b.Upload(ctx, key, strings.NewReader(content))),
					b.Remove(ctx, key))
			},
			wantWhole:    11,
			wantPrefixed: 13,
		},
		{
			name:   "List",
			stored: []string{"a", "b", "key"},
			call: func(ctx context.Context, b storage.Bucket, _ string) error {
				return readListing(b.List(ctx))
			},
			wantWhole:    9,
			wantPrefixed: 11,
		},
		{
			name:   "List of a prefix",
			stored: []string{"a", "b", "key"},
			call: func(ctx context.Context, b storage.Bucket, key string) error {
				return readListing(b.List(ctx, storage.WithPrefix(key)))
			},
			wantWhole:    11,
			wantPrefixed: 14,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			b := memstore.New()
			for _, key := range tt.stored {
				require.NoError(t, lastError(b.Upload(ctx, prefix+key, strings.NewReader(content))))
			}

			// Count the allocations of the call for the bucket and for a view of it.
			const runs = 1000
			allocations := func(b storage.Bucket, key string) float64 {
				return testing.AllocsPerRun(runs, func() {
					if err := tt.call(ctx, b, key); err != nil {
						t.Error(err)
					}
				})
			}
			require.Equal(t, tt.wantWhole, allocations(b, prefix+"key"), "with the whole key")
			require.Equal(t, tt.wantPrefixed, allocations(storage.Prefixed(b, prefix), "key"), "through Prefixed")
		})
	}
}

// readListing reads a listing to its end, and returns the error of its last entry.
func readListing[T any](listing iter.Seq2[T, error]) error {
	var lastErr error
	for _, err := range listing {
		lastErr = err
	}
	return lastErr
}

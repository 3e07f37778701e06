package storage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// If an object is replaced after it was listed, RemoveMatching keeps the new one, which match has not seen. Without
// match, or without ConditionalRemove, it removes the new one, too.
func TestRemoveMatchingKeepsNewerObjects(t *testing.T) {
	isEmpty := func(entry storage.ListEntry) bool { return entry.Size == 0 }
	tests := []struct {
		name        string
		match       func(storage.ListEntry) bool
		limits      faults.Limits
		prefix      string // of the view, or "" for the bucket itself
		wantRemoved int
		wantNewKept bool // whether the new object is still there
	}{
		{name: "with match", match: isEmpty, wantRemoved: 1, wantNewKept: true},
		{name: "with match, in a view", match: isEmpty, prefix: "p/", wantRemoved: 1, wantNewKept: true},
		{name: "without match", wantRemoved: 2},
		{
			name:        "without ConditionalRemove",
			match:       isEmpty,
			limits:      faults.Limits{Disable: storage.ConditionalRemove},
			wantRemoved: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Both objects are empty, so match selects them.
			store := memstore.NewDriver(memstore.Config{})
			otherClient := engine.New(store)
			for _, key := range []string{"a", "b"} {
				_, err := otherClient.Upload(t.Context(), tt.prefix+key, strings.NewReader(""))
				require.NoError(t, err)
			}

			// After each page of the listing, the other client replaces "b" by an object that is not empty.
			replaceAfterList := func(ctx context.Context, call string, next func(context.Context) error) error {
				err := next(ctx)
				if call == "List" {
					_, uploadErr := otherClient.Upload(ctx, tt.prefix+"b", strings.NewReader("new"))
					if uploadErr != nil {
						t.Error(uploadErr)
					}
				}
				return err
			}
			intercept := func(d driver.Driver) driver.Driver {
				return driver.Intercept(d, replaceAfterList)
			}
			bucket := engine.New(store,
				driver.WithLayer(faults.WithLimits(tt.limits)),
				driver.WithLayer(intercept))
			if tt.prefix != "" {
				bucket = storage.Prefixed(bucket, tt.prefix)
			}

			removed, err := storage.RemoveMatching(t.Context(), bucket, tt.match)
			require.NoError(t, err)
			require.Equal(t, tt.wantRemoved, removed)

			_, err = otherClient.Attrs(t.Context(), tt.prefix+"b")
			if tt.wantNewKept {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, storage.ObjectNotFound)
			}
		})
	}
}

package diskcache_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// readText returns the content of an object, or "" if it is missing.
func readText(ctx context.Context, b storage.Bucket, key string) (string, error) {
	data, _, err := storage.ReadAll(ctx, b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return "", nil
	}
	return string(data), err
}

// upload stores the object "k".
func upload(ctx context.Context, b storage.Bucket, text string) error {
	_, err := b.Upload(ctx, "k", strings.NewReader(text))
	return err
}

// newCacheLayer returns the layer of a small cache.
func newCacheLayer(s *interleave.Scene, dir string) storage.OpenOption {
	cache, err := diskcache.Open(dir, diskcache.Config{MaxBytes: 600, BlockBytes: 100, Unpinned: true})
	require.NoError(s, err)
	s.Cleanup(func() {
		_ = cache.Close()
	})
	return driver.WithLayer(cache.Layer())
}

// haveOrder reports whether a reader can have seen these texts one after another, if the object has
// had these states in their order.
func haveOrder(states []string, texts ...string) bool {
	for _, text := range texts {
		index := slices.Index(states, text)
		if index < 0 {
			return false
		}
		states = states[index:]
	}
	return true
}

// A read through a cache returns the object that the store has at that time, and never a mix of two objects, while
// another process changes the object.
func TestExploredReadersOfACacheAndAWriter(t *testing.T) {
	oldText := strings.Repeat("old ", 100)
	newText := strings.Repeat("new ", 100)
	tests := []struct {
		name   string
		write  func(ctx context.Context, b storage.Bucket) error
		states []string // texts that the object has one after the other; "" means that it is missing
	}{
		{
			name:   "replaces",
			write:  func(ctx context.Context, b storage.Bucket) error { return upload(ctx, b, newText) },
			states: []string{oldText, newText},
		},
		{
			name: "removes and creates",
			write: func(ctx context.Context, b storage.Bucket) error {
				return errors.Join(b.Remove(ctx, "k"), upload(ctx, b, newText))
			},
			states: []string{oldText, "", newText},
		},
		{
			name: "removes and creates again",
			write: func(ctx context.Context, b storage.Bucket) error {
				return errors.Join(b.Remove(ctx, "k"), upload(ctx, b, oldText))
			},
			states: []string{oldText, "", oldText},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			explored.EachOrderOnSome(t, func(s *interleave.Scene) {
				// The store has two objects, and the cache's directory already has blocks of "k".
				dir := t.TempDir()
				store := s.Store("s")
				withoutCache := store.Bucket()
				require.NoError(s, upload(s.Context(), withoutCache, oldText))
				_, err := withoutCache.Upload(s.Context(), "other", strings.NewReader(oldText))
				require.NoError(s, err)
				_, err = readText(s.Context(), store.Bucket(newCacheLayer(s, dir)), "k")
				require.NoError(s, err)

				// One process reads "k" twice through the cache. In between, it reads the other
				// object, which removes blocks of "k".
				reader := s.Process("reads")
				cached := reader.Bucket(store, newCacheLayer(s, dir))
				var texts []string // of "k", "other", and "k" again
				reads := reader.Go("reads", func(ctx context.Context) error {
					for _, key := range []string{"k", "other", "k"} {
						text, err := readText(ctx, cached, key)
						if err != nil {
							return err
						}
						texts = append(texts, text)
					}
					return nil
				})

				// Another process changes "k" without the cache.
				writer := s.Process("writes")
				written := writer.Bucket(store)
				writes := writer.Go("writes", func(ctx context.Context) error { return tt.write(ctx, written) })

				s.Check(func() {
					// A new process reads what the store has.
					inStore, err := readText(s.Context(), withoutCache, "k")
					require.NoError(s, err)
					inCache, err := readText(s.Context(), store.Bucket(newCacheLayer(s, dir)), "k")
					require.NoError(s, err)
					require.Equal(s, inStore, inCache)

					// The reader fails only if it is killed, or if the object changes during a read.
					if reads.Died() || errors.Is(reads.Err(), storage.Changed) {
						return
					}
					require.NoError(s, reads.Err())
					firstText, otherText, secondText := texts[0], texts[1], texts[2]
					require.Equal(s, oldText, otherText)

					// The second read of "k" returns no earlier state than the first one, unless
					// the response of a write was lost. The writer repeats such a write, and a
					// repeated removal may come after a creation.
					isOrdered := haveOrder(tt.states, firstText, secondText)
					require.True(s, isOrdered || writes.Lost(), "%.20q and then %.20q", firstText, secondText)
				})
			})
		})
	}
}

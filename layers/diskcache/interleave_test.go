package diskcache_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// A reader through a cache never sees an object that was replaced before the read began, nor one of two writes.
func TestExploredReadersOfACacheAndAWriter(t *testing.T) {
	explored.RunOnSome(t, func(s *interleave.Scene) {
		cache, err := diskcache.Open(t.TempDir(), diskcache.Config{MaxBytes: 1 << 16, Unpinned: true})
		require.NoError(s, err)
		s.Cleanup(func() { _ = cache.Close() })
		store := s.Store("s")
		old, recent := strings.Repeat("old ", 100), strings.Repeat("new ", 100)
		_, err = store.Bucket().Upload(s.Context(), "k", strings.NewReader(old))
		require.NoError(s, err)
		p := s.Process("reads")
		b := p.Bucket(store, driver.WithLayer(cache.Layer()))
		texts := make([]string, 2)
		p.Go("reads", func(ctx context.Context) error {
			for i := range texts {
				data, _, err := storage.ReadAll(ctx, b, "k")
				if err != nil {
					return err
				}
				texts[i] = string(data)
			}
			return nil
		})
		q := s.Process("writes")
		c := q.Bucket(store)
		q.Go("writes", func(ctx context.Context) error {
			_, err := c.Upload(ctx, "k", strings.NewReader(recent))
			return err
		})
		s.Check(func() {
			for _, text := range texts {
				require.Contains(s, []string{"", old, recent}, text)
			}
			if texts[0] == recent {
				require.NotEqual(s, old, texts[1])
			}
			now, _, err := storage.ReadAll(s.Context(), b, "k")
			if p.Died() {
				return
			}
			require.NoError(s, err)
			direct, _, err := storage.ReadAll(s.Context(), store.Bucket(), "k")
			require.NoError(s, err)
			require.Equal(s, string(direct), string(now))
		})
	})
}

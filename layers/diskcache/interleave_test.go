package diskcache_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// A reader through a cache never sees an object that was replaced before the read began, and never a mix of two
// objects. The directory has blocks of an earlier process.
func TestExploredReadersOfACacheAndAWriter(t *testing.T) {
	first := strings.Repeat("old ", 100)
	recent := strings.Repeat("new ", 100)
	upload := func(ctx context.Context, b storage.Bucket, text string) error {
		_, err := b.Upload(ctx, "k", strings.NewReader(text))
		return err
	}
	for _, tt := range []struct {
		name  string
		write func(ctx context.Context, b storage.Bucket) error
		// after are the texts that the object may have had, in this order. "" means that there was none.
		after []string
	}{
		{
			name:  "replaces",
			write: func(ctx context.Context, b storage.Bucket) error { return upload(ctx, b, recent) },
			after: []string{first, recent},
		},
		{
			name: "removes and creates",
			write: func(ctx context.Context, b storage.Bucket) error {
				return errors.Join(b.Remove(ctx, "k"), upload(ctx, b, recent))
			},
			after: []string{first, "", recent},
		},
		{
			name: "removes and creates again",
			write: func(ctx context.Context, b storage.Bucket) error {
				return errors.Join(b.Remove(ctx, "k"), upload(ctx, b, first))
			},
			after: []string{first, "", first},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			explored.EachOrderOnSome(t, func(s *interleave.Scene) {
				dir := t.TempDir()
				store := s.Store("s")
				open := func(b func(opts ...storage.OpenOption) storage.Bucket) storage.Bucket {
					cache, err := diskcache.Open(dir, diskcache.Config{
						MaxBytes:   600,
						BlockBytes: 100,
						Unpinned:   true,
					})
					require.NoError(s, err)
					s.Cleanup(func() {
						_ = cache.Close()
					})
					return b(driver.WithLayer(cache.Layer()))
				}
				readText := func(ctx context.Context, b storage.Bucket, key string) (string, error) {
					data, _, err := storage.ReadAll(ctx, b, key)
					if errors.Is(err, storage.ObjectNotFound) {
						return "", nil
					}
					return string(data), err
				}
				outside := store.Bucket()
				require.NoError(s, upload(s.Context(), outside, first))
				_, err := outside.Upload(s.Context(), "other", strings.NewReader(first))
				require.NoError(s, err)
				_, err = readText(s.Context(), open(store.Bucket), "k")
				require.NoError(s, err)
				p := s.Process("reads")
				b := open(func(opts ...storage.OpenOption) storage.Bucket { return p.Bucket(store, opts...) })
				var texts []string
				reads := p.Go("reads", func(ctx context.Context) error {
					for _, key := range []string{"k", "other", "k"} {
						text, err := readText(ctx, b, key)
						if err != nil {
							return err
						}
						texts = append(texts, text)
					}
					return nil
				})
				q := s.Process("writes")
				c := q.Bucket(store)
				writes := q.Go("writes", func(ctx context.Context) error { return tt.write(ctx, c) })
				s.Check(func() {
					text, err := readText(s.Context(), outside, "k")
					require.NoError(s, err)

					cached, err := readText(s.Context(), open(store.Bucket), "k")
					require.NoError(s, err)
					require.Equal(s, text, cached)

					if reads.Died() || errors.Is(reads.Err(), storage.Changed) {
						return
					}
					require.NoError(s, reads.Err())
					require.Equal(s, first, texts[1])

					index := 0
					for _, text := range []string{texts[0], texts[2]} {
						for index < len(tt.after) && tt.after[index] != text {
							index++
						}
						// A repeated removal may come after a creation.
						require.True(s, index < len(tt.after) || writes.Lost(), "%.20q and then %.20q",
							texts[0], texts[2])
					}
				})
			})
		})
	}
}

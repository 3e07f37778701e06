package layers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
)

// Listings of mirrors and overlays, also combined with other layers, succeed with any prefix, delimiter, start and
// page size.
func TestLayersOfTwoStoresList(t *testing.T) {
	m, err := mirror.New(memstore.New(), mirror.Config{})
	require.NoError(t, err)
	o, err := overlay.New(memstore.New(), overlay.Config{})
	require.NoError(t, err)

	for name, layers := range map[string][]driver.Layer{
		"mirror":          {m},
		"overlay":         {o},
		"mirror, overlay": {m, o},
		"overlay, mirror": {o, m},
		"limit overlay":   {newLimit(t, limit.Config{Requests: limit.Requests{Reads: 1e9}}), o},
		"overlay cache":   {o, newCache(t, diskcache.Config{Unpinned: true})},
	} {
		t.Run(name, func(t *testing.T) {
			var opts []storage.OpenOption
			for _, l := range layers {
				opts = append(opts, driver.WithLayer(l))
			}
			b := memstore.New(opts...)
			for _, k := range []string{"a", "a-b", "a/b", "a/b/c", "a/d", "a0", "ab", "b/c"} {
				_, err := b.Upload(t.Context(), k, strings.NewReader(k))
				require.NoError(t, err)
			}
			for _, prefix := range []string{"", "a", "a/", "a/b", "b", "z"} {
				for _, delimiter := range []string{"", "/", "-", "b"} {
					for _, startAfter := range []string{"", "a", "a-b", "a/", "a/a", "a/b", "a0", "0", "z"} {
						for _, size := range []int{1, 3, 1000} {
							opts := []storage.ListOption{storage.WithPageSize(size)}
							if prefix != "" {
								opts = append(opts, storage.WithPrefix(prefix))
							}
							if delimiter != "" {
								opts = append(opts, storage.WithDelimiter(delimiter))
							}
							if startAfter != "" {
								opts = append(opts, storage.WithStartAfter(startAfter))
							}
							for _, err := range b.List(t.Context(), opts...) {
								require.NoError(t, err,
									"prefix %q, delimiter %q, after %q, pages of %d", prefix, delimiter, startAfter, size)
							}
						}
					}
				}
			}
		})
	}
}

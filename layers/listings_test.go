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

// Listings of mirrors and overlays succeed with any prefix, delimiter, start and page size, even
// combined with other layers.
func TestLayersOfTwoStoresList(t *testing.T) {
	mirrored, err := mirror.New(memstore.New(), mirror.Config{})
	require.NoError(t, err)
	overlaid, err := overlay.New(memstore.New(), overlay.Config{})
	require.NoError(t, err)
	limits := newLimit(t, limit.Config{Requests: limit.Requests{Reads: 1e9}}) // which is never reached
	cache := newCache(t, diskcache.Config{Unpinned: true})
	tests := []struct {
		name   string
		layers []driver.Layer // each one above the one before it
	}{
		{name: "mirror", layers: []driver.Layer{mirrored}},
		{name: "overlay", layers: []driver.Layer{overlaid}},
		{name: "mirror, overlay", layers: []driver.Layer{mirrored, overlaid}},
		{name: "overlay, mirror", layers: []driver.Layer{overlaid, mirrored}},
		{name: "limit, overlay", layers: []driver.Layer{limits, overlaid}},
		{name: "overlay, cache", layers: []driver.Layer{overlaid, cache}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var opts []storage.OpenOption
			for _, layer := range tt.layers {
				opts = append(opts, driver.WithLayer(layer))
			}
			b := memstore.New(opts...)
			for _, key := range []string{"a", "a-b", "a/b", "a/b/c", "a/d", "a0", "ab", "b/c"} {
				_, err := b.Upload(t.Context(), key, strings.NewReader(key))
				require.NoError(t, err)
			}

			// List with all combinations of some prefixes, delimiters, starts and page sizes.
			for _, listing := range listings() {
				for _, err := range b.List(t.Context(), listing.options()...) {
					require.NoError(t, err, "%+v", listing)
				}
			}
		})
	}
}

// A listing has the options of one call of List.
type listing struct {
	prefix     string
	delimiter  string
	startAfter string
	pageSize   int
}

// listings returns all combinations of some values.
func listings() (all []listing) {
	for _, prefix := range []string{"", "a", "a/", "a/b", "b", "z"} {
		for _, delimiter := range []string{"", "/", "-", "b"} {
			for _, startAfter := range []string{"", "a", "a-b", "a/", "a/a", "a/b", "a0", "0", "z"} {
				for _, pageSize := range []int{1, 3, 1000} {
					all = append(all, listing{
						prefix:     prefix,
						delimiter:  delimiter,
						startAfter: startAfter,
						pageSize:   pageSize,
					})
				}
			}
		}
	}
	return all
}

// options returns the options of the listing.
func (l listing) options() []storage.ListOption {
	opts := []storage.ListOption{storage.WithPageSize(l.pageSize)}
	if l.prefix != "" {
		opts = append(opts, storage.WithPrefix(l.prefix))
	}
	if l.delimiter != "" {
		opts = append(opts, storage.WithDelimiter(l.delimiter))
	}
	if l.startAfter != "" {
		opts = append(opts, storage.WithStartAfter(l.startAfter))
	}
	return opts
}

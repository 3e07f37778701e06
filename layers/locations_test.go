package layers_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/locations"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

// A bucket that a configuration file opens passes the whole suite with each layer that changes no behavior.
func TestFurtherConformanceThroughLocations(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	tests := []struct{ name, layers string }{
		{"limit", "[{limit: {bytes: 1T, reads: 1e9, writes: 1e9, lists: 1e9}}]"},
		{"diskcache", "[{diskcache: {dir: %s, max: 1G}}]"},
		{"mirror", "[{mirror: other}]"},
		{"overlay", "[{overlay: {old: other}}]"},
		{"all in the order of the documentation",
			"[{limit: {reads: 1e9}}, {mirror: second}, {overlay: {old: other}}, {diskcache: {dir: %s}}]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				layers := tt.layers
				if tt.name == "diskcache" || tt.name[:3] == "all" {
					layers = fmt.Sprintf(layers, filepath.ToSlash(t.TempDir()))
				}
				c, err := locations.Parse("config.yaml", []byte(
					"locations: {other: 'mem://other', second: 'mem://second', "+
						"a: {address: 'mem://a', layers: "+layers+"}}"))
				require.NoError(t, err)
				c.OpenBucket = func(
					_ context.Context, _ string, opts ...storage.OpenOption,
				) (storage.Bucket, error) {
					return memstore.New(opts...), nil
				}
				b, err := c.Open(t.Context(), "a", opts...)
				require.NoError(t, err)
				return b
			})
		})
	}
}

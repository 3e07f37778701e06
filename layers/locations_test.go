package layers_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/locations"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

// A bucket that a configuration file opens passes the conformance suite with each layer that changes no
// behavior.
func TestFurtherConformanceThroughLocations(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	tests := []struct {
		name   string
		layers string // DIR stands for a new directory
	}{
		{name: "limit", layers: "[{limit: {bytes: 1T, reads: 1e9, writes: 1e9, lists: 1e9}}]"},
		{name: "diskcache", layers: "[{diskcache: {dir: DIR, max: 1G}}]"},
		{name: "mirror", layers: "[{mirror: other}]"},
		{name: "overlay", layers: "[{overlay: {old: other}}]"},
		{
			name:   "all in the order of the documentation",
			layers: "[{limit: {reads: 1e9}}, {mirror: second}, {overlay: {old: other}}, {diskcache: {dir: DIR}}]",
		},
	}

	// Each address opens a new bucket in memory.
	openMemory := func(_ context.Context, _ string, opts ...storage.OpenOption) (storage.Bucket, error) {
		return memstore.New(opts...), nil
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				layers := strings.ReplaceAll(tt.layers, "DIR", filepath.ToSlash(t.TempDir()))
				config := "locations: {other: 'mem://other', second: 'mem://second', " +
					"a: {address: 'mem://a', layers: " + layers + "}}"
				c, err := locations.Parse("config.yaml", []byte(config))
				require.NoError(t, err)
				c.OpenBucket = openMemory
				b, err := c.Open(t.Context(), "a", opts...)
				require.NoError(t, err)
				return b
			})
		})
	}
}

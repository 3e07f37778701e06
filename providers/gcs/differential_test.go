package gcs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Random calls have the same results on the rule server, which follows the rules of Google, as on a bucket in memory.
func TestRandomCallsAsInMemory(t *testing.T) {
	server := startRuleServer(t)
	tests := []struct {
		name              string
		parallelComposite bool
	}{
		{name: "sessions", parallelComposite: false},
		{name: "composite", parallelComposite: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Run makes the same calls on a bucket that this function opens and on a bucket in
			// memory. It gives options only for a bucket with versions.
			differential.Run(t, differential.Config{
				Seeds:    1,
				Versions: true,
			}, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				d, err := gcs.NewDriver(t.Context(), gcs.Config{
					Endpoint:          server.URL,
					Bucket:            server.bucket(ruleBucket{versioned: len(opts) > 0}),
					ParallelComposite: tt.parallelComposite,
				})
				require.NoError(t, err)
				// With asGoogle, the driver also uses what only Google's own server has.
				return engine.New(asGoogle{d}, opts...)
			})
		})
	}
}

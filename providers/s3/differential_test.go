package s3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Random calls have the same results on a bucket of our server as on a bucket in memory, whatever store the server has.
func TestRandomCallsAsInMemory(t *testing.T) {
	directory, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	tests := []struct {
		name      string
		config    s3server.Config
		isFurther bool // the case is left out in a short run
	}{
		{name: "memory", config: s3server.Config{Strict: true}},
		{name: "directory", config: s3server.Config{Service: directory}, isFurther: true},
		{
			name:      "gateway",
			config:    s3server.Config{Service: memstore.NewServiceDriver(memstore.ServiceConfig{})},
			isFurther: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.isFurther {
				testserver.Further(t)
			}
			server := startOwnServer(t, tt.config)

			// Run gives the function open no option, the option for versions, or the options for
			// versions and locks.
			open := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				hasVersions := len(opts) >= 1
				hasLocks := len(opts) >= 2
				if hasLocks {
					return server.open(t, server.lockingBucket(t), opts...)
				}
				return server.open(t, server.bucket(t, hasVersions), opts...)
			}
			differential.Run(t, differential.Config{Seeds: 1, Versions: true, Locks: true}, open)
		})
	}
}

// Random calls have the same results on a bucket of each server as on a bucket in memory. Calls and values for which a
// server is known to differ are left out.
func TestRandomCallsOnServersAsInMemory(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			// Each text names something that is left out: a call, an option with its value, or a
			// key.
			skips := []string{`bad key "a//b"`, `bad key "/a"`, `bad key "a/"`}
			if name == "minio" {
				skips = append(skips, "ListPage", // repeats common prefixes from page to page
					`prefix "d/."`, // is refused
					`prefix "a"`)   // ends after a page whose last key it is
			}
			open := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				return s.open(t, s.bucket(t, false), opts...)
			}
			differential.Run(t, differential.Config{Without: skips}, open)
		})
	}
}

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

// A bucket of our server gives the same results as memory to random calls, whatever store the
// server has.
func TestRandomCallsAsInMemory(t *testing.T) {
	directory, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	for name, c := range map[string]s3server.Config{
		"memory":    {Strict: true},
		"directory": {Service: directory},
		"gateway":   {Service: memstore.NewServiceDriver(memstore.ServiceConfig{})},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "memory" {
				testserver.Further(t)
			}
			server := startOwnServer(t, c)
			open := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				// The options are those for versions and for locks, in this order.
				const versions, versionsAndLocks = 1, 2
				switch len(opts) {
				case versionsAndLocks:
					return server.open(t, server.lockingBucket(t), opts...)
				case versions:
					return server.open(t, server.bucket(t, true), opts...)
				default:
					return server.open(t, server.bucket(t, false), opts...)
				}
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
			// Each text names a call, or an option or key with its value, that is left out.
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

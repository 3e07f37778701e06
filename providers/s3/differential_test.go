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
			server, err := s3server.Start(c)
			require.NoError(t, err)
			t.Cleanup(server.Close)
			s := &testServer{
				name:     "aws",
				endpoint: server.URL,
				key:      s3server.DefaultAccessKeyID,
				secret:   s3server.DefaultSecretKey,
			}
			s.raw = s.clientOver(withoutKeepAlive())

			differential.Run(t, differential.Config{Seeds: 1, Versions: true, Locks: true}, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				if len(opts) == 2 {
					return s.open(t, s.lockingBucket(t), opts...)
				}
				return s.open(t, s.bucket(t, len(opts) > 0), opts...)
			})
		})
	}
}

// Both servers refuse keys that no file can have, and list prefixes below which all is removed, if they keep
// versions.
func TestRandomCallsOnServersAsInMemory(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			skips := []string{`bad key "a//b"`, `bad key "/a"`, `bad key "a/"`}
			if name == "minio" {
				skips = append(skips, "ListPage", // repeats common prefixes from page to page
					`prefix "d/."`, // is refused
					`prefix "a"`)   // ends after a page whose last key it is
			}
			differential.Run(t, differential.Config{Without: skips}, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				return s.open(t, s.bucket(t, false), opts...)
			})
		})
	}
}

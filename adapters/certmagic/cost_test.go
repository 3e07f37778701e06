//go:build unix

package certmagic

import (
	"path/filepath"
	"testing"

	"github.com/caddyserver/certmagic"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/cputime"
	"github.com/omnibucket/storage/providers/local"
)

// BenchmarkCost compares this adapter over a directory with CertMagic's own storage in a directory.
func BenchmarkCost(b *testing.B) {
	bucket, err := local.Open(filepath.Join(b.TempDir(), "bucket"), local.Config{Create: true})
	require.NoError(b, err)
	ours, err := New(bucket)
	require.NoError(b, err)

	benchmarkCalls(b, "ours", ours)
	benchmarkCalls(b, "FileStorage", &certmagic.FileStorage{Path: b.TempDir()})
}

// benchmarkCalls measures the calls of a storage. The name of each benchmark ends in storageName.
func benchmarkCalls(b *testing.B, storageName string, s certmagic.Storage) {
	b.Helper()
	const key = "a/b"
	value := make([]byte, 4<<10)
	require.NoError(b, s.Store(b.Context(), key, value))

	b.Run("Store/"+storageName, func(b *testing.B) {
		cputime.Loop(b, func() error {
			return s.Store(b.Context(), key, value)
		})
	})
	b.Run("Load/"+storageName, func(b *testing.B) {
		cputime.Loop(b, func() error {
			_, err := s.Load(b.Context(), key)
			return err
		})
	})
	b.Run("Lock/"+storageName, func(b *testing.B) {
		cputime.Loop(b, func() error {
			if err := s.Lock(b.Context(), "a"); err != nil {
				return err
			}
			return s.Unlock(b.Context(), "a")
		})
	})
}

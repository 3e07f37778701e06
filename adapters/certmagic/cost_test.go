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

// The same calls, in a directory, beside CertMagic's own storage.
func BenchmarkCost(b *testing.B) {
	bucket, err := local.Open(filepath.Join(b.TempDir(), "bucket"), local.Config{Create: true})
	require.NoError(b, err)
	store, err := New(bucket)
	require.NoError(b, err)
	value := make([]byte, 4<<10)

	for name, s := range map[string]certmagic.Storage{
		"ours":        store,
		"FileStorage": &certmagic.FileStorage{Path: b.TempDir()},
	} {
		for call, f := range map[string]func() error{
			"Store": func() error { return s.Store(b.Context(), "a/b", value) },
			"Load": func() error {
				_, err := s.Load(b.Context(), "a/b")
				return err
			},
			"Lock": func() error {
				if err := s.Lock(b.Context(), "a"); err != nil {
					return err
				}
				return s.Unlock(b.Context(), "a")
			},
		} {
			require.NoError(b, s.Store(b.Context(), "a/b", value))
			b.Run(call+"/"+name, func(b *testing.B) {
				cputime.Loop(b, f)
			})
		}
	}
}

//go:build unix

package afero

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/cputime"
	"github.com/omnibucket/storage/providers/local"
)

// The same calls, in a directory, beside afero's own file system.
func BenchmarkCost(b *testing.B) {
	bucket, err := local.Open(filepath.Join(b.TempDir(), "bucket"), local.Config{Create: true})
	require.NoError(b, err)
	small := make([]byte, 1<<10)
	large := make([]byte, 8<<20)

	for name, f := range map[string]afero.Fs{
		"ours": New(b.Context(), bucket),
		"OsFs": afero.NewBasePathFs(afero.NewOsFs(), b.TempDir()),
	} {
		require.NoError(b, f.MkdirAll("dir", 0o755))
		for i := range 100 {
			require.NoError(b, afero.WriteFile(f, fmt.Sprintf("dir/%02d", i), small, 0o644))
		}
		require.NoError(b, afero.WriteFile(f, "large", large, 0o644))
		for call, do := range map[string]func() error{
			"WriteFile-1KiB": func() error { return afero.WriteFile(f, "small", small, 0o644) },
			"WriteFile-8MiB": func() error { return afero.WriteFile(f, "large", large, 0o644) },
			"ReadFile-1KiB": func() error {
				_, err := afero.ReadFile(f, "dir/00")
				return err
			},
			"Read-8MiB": func() error { return read(f, "large") },
			"ReadDir-100": func() error {
				_, err := afero.ReadDir(f, "dir")
				return err
			},
			"Stat": func() error {
				_, err := f.Stat("dir/00")
				return err
			},
		} {
			b.Run(call+"/"+name, func(b *testing.B) {
				cputime.Loop(b, do)
			})
		}
	}
}

func read(f afero.Fs, name string) error {
	file, err := f.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(struct{ io.Writer }{io.Discard}, file)
	return err
}

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

// BenchmarkCost compares this adapter over a directory with afero's own file system of a directory.
func BenchmarkCost(b *testing.B) {
	bucket, err := local.Open(filepath.Join(b.TempDir(), "bucket"), local.Config{Create: true})
	require.NoError(b, err)

	benchmarkCalls(b, "ours", New(b.Context(), bucket))
	benchmarkCalls(b, "OsFs", afero.NewBasePathFs(afero.NewOsFs(), b.TempDir()))
}

// benchmarkCalls measures the calls of a file system. The name of each benchmark ends in fsName.
func benchmarkCalls(b *testing.B, fsName string, files afero.Fs) {
	b.Helper()
	small := make([]byte, 1<<10)
	large := make([]byte, 8<<20)
	require.NoError(b, files.MkdirAll("dir", 0o755))
	for i := range 100 {
		require.NoError(b, afero.WriteFile(files, fmt.Sprintf("dir/%02d", i), small, 0o644))
	}
	require.NoError(b, afero.WriteFile(files, "large", large, 0o644))

	benchmarks := []struct {
		name string
		call func() error
	}{
		{name: "WriteFile-1KiB", call: func() error { return afero.WriteFile(files, "small", small, 0o644) }},
		{name: "WriteFile-8MiB", call: func() error { return afero.WriteFile(files, "large", large, 0o644) }},
		{name: "ReadFile-1KiB", call: func() error { return onlyError(afero.ReadFile(files, "dir/00")) }},
		{name: "Read-8MiB", call: func() error { return discard(files, "large") }},
		{name: "ReadDir-100", call: func() error { return onlyError(afero.ReadDir(files, "dir")) }},
		{name: "Stat", call: func() error { return onlyError(files.Stat("dir/00")) }},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name+"/"+fsName, func(b *testing.B) {
			cputime.Loop(b, bb.call)
		})
	}
}

// discard reads a file through a buffer. It hides the ReadFrom of io.Discard, which would read in its own way.
func discard(files afero.Fs, name string) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}

	onlyWriter := struct{ io.Writer }{io.Discard}
	_, err = io.Copy(onlyWriter, f)
	return err
}

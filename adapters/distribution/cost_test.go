//go:build unix

package distribution

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/cputime"
	"github.com/omnibucket/storage/providers/local"
)

// BenchmarkCost compares this adapter over a directory with the registry's own driver of a directory.
func BenchmarkCost(b *testing.B) {
	bucket, err := local.Open(filepath.Join(b.TempDir(), "bucket"), local.Config{Create: true})
	require.NoError(b, err)
	ours, err := New(bucket)
	require.NoError(b, err)
	theirs := filesystem.New(filesystem.DriverParameters{RootDirectory: b.TempDir(), MaxThreads: 100})

	benchmarkCalls(b, "ours", ours)
	benchmarkCalls(b, "filesystem", theirs)
}

// benchmarkCalls measures the calls of a driver. The name of each benchmark ends in driverName.
func benchmarkCalls(b *testing.B, driverName string, d registry.StorageDriver) {
	b.Helper()
	manifest := make([]byte, 4<<10)
	layer := make([]byte, 16<<20)
	require.NoError(b, d.PutContent(b.Context(), "/manifest", manifest))
	require.NoError(b, d.PutContent(b.Context(), "/layer", layer))

	benchmarks := []struct {
		name string
		call func() error
	}{
		{
			name: "PutContent-4KiB",
			call: func() error { return d.PutContent(b.Context(), "/manifest", manifest) },
		},
		{
			name: "GetContent-4KiB",
			call: func() error {
				_, err := d.GetContent(b.Context(), "/manifest")
				return err
			},
		},
		{
			name: "Writer-16MiB",
			call: func() error { return push(b.Context(), d, layer) },
		},
		{
			name: "Reader-16MiB",
			call: func() error { return pull(b.Context(), d) },
		},
		{
			name: "Stat",
			call: func() error {
				_, err := d.Stat(b.Context(), "/layer")
				return err
			},
		},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name+"/"+driverName, func(b *testing.B) {
			cputime.Loop(b, bb.call)
		})
	}
}

// push uploads a layer as a registry does when an image is pushed.
func push(ctx context.Context, d registry.StorageDriver, content []byte) error {
	w, err := d.Writer(ctx, "/upload", false)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Commit(ctx); err != nil {
		return err
	}
	return w.Close()
}

// pull reads a layer as a registry does when an image is pulled. It hides the ReadFrom of io.Discard, which would read
// in its own way.
func pull(ctx context.Context, d registry.StorageDriver) error {
	r, err := d.Reader(ctx, "/layer", 0)
	if err != nil {
		return err
	}
	defer r.Close()

	onlyWriter := struct{ io.Writer }{io.Discard}
	_, err = io.Copy(onlyWriter, r)
	return err
}

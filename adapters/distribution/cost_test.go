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

// The same calls, in a directory, beside the registry's own driver.
func BenchmarkCost(b *testing.B) {
	bucket, err := local.Open(filepath.Join(b.TempDir(), "bucket"), local.Config{Create: true})
	require.NoError(b, err)
	ourDriver, err := New(bucket)
	require.NoError(b, err)
	theirs := filesystem.New(filesystem.DriverParameters{RootDirectory: b.TempDir(), MaxThreads: 100})
	manifest := make([]byte, 4<<10)
	layer := make([]byte, 16<<20)

	for name, d := range map[string]registry.StorageDriver{"ours": ourDriver, "filesystem": theirs} {
		require.NoError(b, d.PutContent(b.Context(), "/manifest", manifest))
		require.NoError(b, d.PutContent(b.Context(), "/layer", layer))
		for call, f := range map[string]func() error{
			"PutContent-4KiB": func() error { return d.PutContent(b.Context(), "/manifest", manifest) },
			"GetContent-4KiB": func() error {
				_, err := d.GetContent(b.Context(), "/manifest")
				return err
			},
			"Writer-16MiB": func() error { return push(b.Context(), d, layer) },
			"Reader-16MiB": func() error { return pull(b.Context(), d) },
			"Stat": func() error {
				_, err := d.Stat(b.Context(), "/layer")
				return err
			},
		} {
			b.Run(call+"/"+name, func(b *testing.B) {
				cputime.Loop(b, f)
			})
		}
	}
}

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

func pull(ctx context.Context, d registry.StorageDriver) error {
	r, err := d.Reader(ctx, "/layer", 0)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(struct{ io.Writer }{io.Discard}, r)
	return err
}

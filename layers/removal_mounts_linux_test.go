package layers_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/bindmount"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/transfer"
)

// If the source, or a part of it, is mounted inside the destination (or the reverse), the job refuses, unless
// WithExclude excludes the mounted directory.
func TestMountedDirectoryIsOnePlace(t *testing.T) {
	newEnds := map[string]func(t *testing.T, path string) transfer.End{
		"a directory": func(_ *testing.T, path string) transfer.End { return transfer.Dir(path) },
		"a bucket": func(t *testing.T, path string) transfer.End {
			b, err := local.Open(path, local.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			return transfer.Bucket(b)
		},
	}
	jobs := map[string][]transfer.Option{"delete": {transfer.WithDelete()}, "move": {transfer.WithMove()}}
	tests := map[string]struct {
		mounted    string // directory that is mounted at mountPoint, too
		mountPoint string
		dst        string
		src        string
		opts       []transfer.Option
		wantErr    error
	}{
		"the source in the destination": {
			mounted:    "data",
			mountPoint: "outer/z",
			dst:        "outer",
			src:        "data",
			wantErr:    storage.InvalidArgument,
		},
		"the destination in the source": {
			mounted:    "data",
			mountPoint: "outer/z",
			dst:        "data",
			src:        "outer",
			wantErr:    storage.InvalidArgument,
		},
		"at the destination's path": {
			mounted:    "data",
			mountPoint: "outer",
			dst:        "outer",
			src:        "data",
			wantErr:    storage.InvalidArgument,
		},
		"a part of the source in the destination": {
			mounted:    "data/sub",
			mountPoint: "outer/z",
			dst:        "outer",
			src:        "data",
			wantErr:    storage.InvalidArgument,
		},
		"a part of the source in the destination, which is excluded": {
			mounted:    "data/sub",
			mountPoint: "outer/z",
			dst:        "outer",
			src:        "data",
			opts:       []transfer.Option{transfer.WithExclude("/z/")},
			wantErr:    nil,
		},
		"a part of the source in the destination, which is excluded in the source only": {
			mounted:    "data/sub",
			mountPoint: "outer/z",
			dst:        "outer",
			src:        "data",
			opts:       []transfer.Option{transfer.WithExclude("/sub/")},
			wantErr:    storage.InvalidArgument,
		},
		"another directory in the destination": {
			mounted:    "third",
			mountPoint: "outer/z",
			dst:        "outer",
			src:        "data",
			wantErr:    nil,
		},
	}
	for name, tt := range tests {
		for dstKind, newDst := range newEnds {
			for srcKind, newSrc := range newEnds {
				for job, jobOpts := range jobs {
					t.Run(name+"/"+job+"/"+dstKind+" from "+srcKind, func(t *testing.T) {
						// Make three directories, and the mount.
						top := t.TempDir()
						for path, text := range map[string]string{
							"data/a":     "a",
							"data/sub/b": "b",
							"outer/c":    "c",
							"third/d":    "d",
						} {
							path = filepath.Join(top, filepath.FromSlash(path))
							require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
							require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
						}
						bindmount.Make(t, filepath.Join(top, tt.mounted), filepath.Join(top, tt.mountPoint))

						// A job that is refused removes nothing from "data".
						dst := newDst(t, filepath.Join(top, tt.dst))
						src := newSrc(t, filepath.Join(top, tt.src))
						_, err := transfer.Sync(t.Context(), dst, src, append(jobOpts, tt.opts...)...)
						require.ErrorIs(t, err, tt.wantErr)
						if tt.wantErr != nil {
							require.FileExists(t, filepath.Join(top, "data/a"))
							require.FileExists(t, filepath.Join(top, "data/sub/b"))
						}

						// Each file of "data" is still there, or in "outer".
						for _, key := range []string{"a", "sub/b"} {
							if _, err := os.Stat(filepath.Join(top, "data", key)); err != nil {
								require.FileExists(t, filepath.Join(top, "outer", key))
							}
						}
					})
				}
			}
		}
	}
}

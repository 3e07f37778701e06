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
		from, at string // the mount
		dst, src string
		opts     []transfer.Option
		want     error
	}{
		"the source in the destination": {
			from: "data",
			at:   "outer/z",
			dst:  "outer",
			src:  "data",
			want: storage.InvalidArgument,
		},
		"the destination in the source": {
			from: "data",
			at:   "outer/z",
			dst:  "data",
			src:  "outer",
			want: storage.InvalidArgument,
		},
		"at the destination's path": {
			from: "data",
			at:   "outer",
			dst:  "outer",
			src:  "data",
			want: storage.InvalidArgument,
		},
		"a part of the source in the destination": {
			from: "data/sub",
			at:   "outer/z",
			dst:  "outer",
			src:  "data",
			want: storage.InvalidArgument,
		},
		"that part excluded": {
			from: "data/sub",
			at:   "outer/z",
			dst:  "outer",
			src:  "data",
			opts: []transfer.Option{transfer.WithExclude("/z/")},
			want: nil,
		},
		"that part excluded in the source only": {
			from: "data/sub",
			at:   "outer/z",
			dst:  "outer",
			src:  "data",
			opts: []transfer.Option{transfer.WithExclude("/sub/")},
			want: storage.InvalidArgument,
		},
		"another directory in the destination": {
			from: "third",
			at:   "outer/z",
			dst:  "outer",
			src:  "data",
			want: nil,
		},
	}
	for name, tt := range tests {
		for dstName, dst := range newEnds {
			for srcName, src := range newEnds {
				for job, opts := range jobs {
					t.Run(name+"/"+job+"/"+dstName+" from "+srcName, func(t *testing.T) {
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
						bindmount.Make(t, filepath.Join(top, tt.from), filepath.Join(top, tt.at))
						target := dst(t, filepath.Join(top, tt.dst))
						source := src(t, filepath.Join(top, tt.src))

						_, err := transfer.Sync(t.Context(), target, source, append(opts, tt.opts...)...)
						require.ErrorIs(t, err, tt.want)
						if tt.want != nil {
							require.FileExists(t, filepath.Join(top, "data/a"))
							require.FileExists(t, filepath.Join(top, "data/sub/b"))
						}
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

package distribution

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"testing"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
)

// walkAfter returns what a walk calls. It leaves out some folders, and ends early.
func walkAfter(t *testing.T, d registry.StorageDriver, startAfter, hint string, limit int) (paths []string) {
	t.Helper()
	err := d.Walk(t.Context(), startAfter, func(info registry.FileInfo) error {
		paths = append(paths,
			fmt.Sprint(info.Path(), info.IsDir(), info.Size()*(1-map[bool]int64{true: 1}[info.IsDir()])))
		if len(paths) == limit {
			return registry.ErrFilledBuffer
		}
		if info.IsDir() && path.Base(info.Path()) == "skipped" {
			return registry.ErrSkipDir
		}
		return nil
	}, registry.WithStartAfterHint(hint))
	if _, notFound := errors.AsType[registry.PathNotFoundError](err); !notFound { // of the folder to begin in
		require.NoError(t, err)
	}
	return paths
}

// Walk visits random trees in the same order as the registry's filesystem driver, although bytes and folders order
// some names differently.
func TestWalkAsTheRegistryDoes(t *testing.T) {
	names := []string{"a", "a-b", "a.b", "a.", "a0", "b", "skipped"}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		anyPath := func() string {
			p := ""
			for range 1 + random.IntN(4) {
				p += "/" + names[random.IntN(len(names))]
			}
			return p
		}
		d, err := New(memstore.New())
		require.NoError(t, err)
		theirs := filesystem.New(filesystem.DriverParameters{RootDirectory: t.TempDir(), MaxThreads: 25})
		for range 25 {
			p := anyPath() + "/data" // a file and a folder have different names
			require.NoError(t, d.PutContent(t.Context(), p, []byte("text")))
			require.NoError(t, theirs.PutContent(t.Context(), p, []byte("text")))
		}

		for range 40 {
			lastPath := "/"
			hint := ""
			maximum := 1 + random.IntN(60)
			if random.IntN(2) == 0 {
				lastPath = anyPath()
			}
			if random.IntN(3) > 0 {
				hint = anyPath()
			}
			want := walkAfter(t, theirs, lastPath, hint, maximum)

			want = want[:min(len(want), maximum)] // after a hint, theirs does not end with the first folder
			require.Equal(t, want, walkAfter(t, d, lastPath, hint, maximum), "seed %d: from %s after %q",
				seed, lastPath, hint)
		}
	}
}

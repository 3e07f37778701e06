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

// walkAfter returns a line for each file and folder that Walk visits below a path: its path, whether it is a folder, and
// the size of a file. It skips folders named "skipped", and ends after limit lines.
func walkAfter(t *testing.T, d registry.StorageDriver, from, hint string, limit int) (lines []string) {
	t.Helper()
	err := d.Walk(t.Context(), from, func(info registry.FileInfo) error {
		size := info.Size()
		if info.IsDir() {
			size = 0 // the size of a folder differs between drivers
		}
		lines = append(lines, fmt.Sprint(info.Path(), info.IsDir(), size))

		if len(lines) == limit {
			return registry.ErrFilledBuffer
		}
		if info.IsDir() && path.Base(info.Path()) == "skipped" {
			return registry.ErrSkipDir
		}
		return nil
	}, registry.WithStartAfterHint(hint))

	// The folder in which the walk begins may be missing.
	if _, notFound := errors.AsType[registry.PathNotFoundError](err); !notFound {
		require.NoError(t, err)
	}
	return lines
}

// Walk visits random trees in the same order as the registry's filesystem driver, although keys sort differently:
// "a-b/" is before "a/", but the folder "a" is before "a-b".
func TestWalkAsTheRegistryDoes(t *testing.T) {
	const trees = 20
	const filesOfTree = 25
	const walksOfTree = 40
	names := []string{"a", "a-b", "a.b", "a.", "a0", "b", "skipped"}
	randomPath := func(random *rand.Rand) string {
		p := ""
		for range 1 + random.IntN(4) {
			p += "/" + names[random.IntN(len(names))]
		}
		return p
	}

	for seed := range uint64(trees) {
		random := rand.New(rand.NewPCG(seed, 1))
		ours, err := New(memstore.New())
		require.NoError(t, err)
		theirs := filesystem.New(filesystem.DriverParameters{RootDirectory: t.TempDir(), MaxThreads: 25})
		for range filesOfTree {
			// No folder has the name data.
			file := randomPath(random) + "/data"
			require.NoError(t, ours.PutContent(t.Context(), file, []byte("text")))
			require.NoError(t, theirs.PutContent(t.Context(), file, []byte("text")))
		}

		for range walksOfTree {
			from := "/"
			hint := ""
			limit := 1 + random.IntN(60)
			if random.IntN(2) == 0 {
				from = randomPath(random)
			}
			if random.IntN(3) > 0 {
				hint = randomPath(random)
			}

			// After a hint, the registry's own driver may continue after the limit.
			want := walkAfter(t, theirs, from, hint, limit)
			want = want[:min(len(want), limit)]
			got := walkAfter(t, ours, from, hint, limit)
			require.Equal(t, want, got, "seed %d: from %s after %q", seed, from, hint)
		}
	}
}

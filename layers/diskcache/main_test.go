package diskcache

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const blockBytes = 1000

// A fixture is a bucket with a cache, and counts the calls that reach the store.
type fixture struct {
	storage.Bucket
	cache *Cache
	dir   string           // of the cache
	store *faults.Injector // counts the calls
	time  time.Time        // on the cache's clock
}

// newFixture returns a bucket in memory with a cache in a new directory.
func newFixture(t *testing.T, c Config) *fixture {
	return newFixtureIn(t, filepath.Join(t.TempDir(), "cache"), c, memstore.NewDriver(memstore.Config{}))
}

// newFixtureIn returns a bucket over d with a cache in dir.
func newFixtureIn(t *testing.T, dir string, c Config, d driver.Driver) *fixture {
	t.Helper()
	c.BlockBytes = blockBytes
	cache, err := Open(dir, c)
	require.NoError(t, err)
	f := &fixture{cache: cache, dir: dir, store: faults.New(), time: time.Now()}
	cache.now = func() time.Time { return f.time }
	f.Bucket = engine.New(f.store.Layer()(d), driver.WithLayer(cache.Layer()))
	t.Cleanup(func() {
		require.Zero(t, f.store.OpenBodies())
		require.NoError(t, storage.Close(f.Bucket))
		require.NoError(t, cache.Close())
	})
	return f
}

// put stores an object of a size. See content.
func (f *fixture) put(t *testing.T, key string, size, shift int) *storage.Attrs {
	t.Helper()
	attrs, err := f.Upload(t.Context(), key, strings.NewReader(content(size, shift)))
	require.NoError(t, err)
	return attrs
}

// content returns so many bytes. Each is its offset plus shift, modulo 251, so that no two blocks are equal.
func content(size, shift int) string {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte((i + shift) % 251)
	}
	return string(data)
}

// get reads a range of a revision, and returns how many Gets and Heads reach the store.
func (f *fixture) get(
	t *testing.T, a *storage.Attrs, offset, length int64, opts ...storage.DownloadOption,
) (text string, gets, heads int) {
	t.Helper()
	gets = f.store.Count(faults.Get)
	heads = f.store.Count(faults.Head)
	opts = append(opts, storage.IfRevision(a.Revision), storage.WithRange(offset, length))

	data, got, err := storage.ReadAll(t.Context(), f, a.Key, opts...)
	require.NoError(t, err)
	require.Equal(t, a.Size, got.Size)
	require.Equal(t, a.Revision, got.Revision)
	return string(data), f.store.Count(faults.Get) - gets, f.store.Count(faults.Head) - heads
}

// files returns the paths of all files in the folder of the blocks, without its mark.
func (f *fixture) files(t *testing.T) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(f.dir, blocksFolder),
		func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && d.Name() != markName {
				paths = append(paths, path)
			}
			return err
		}))
	return paths
}

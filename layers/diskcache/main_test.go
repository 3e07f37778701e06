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

// put stores an object.
func (f *fixture) put(t *testing.T, key, text string) *storage.Attrs {
	t.Helper()
	attrs, err := f.Upload(t.Context(), key, strings.NewReader(text))
	require.NoError(t, err)
	return attrs
}

// content returns size bytes. No two blocks of them are equal.
func content(size int) string { return counted(size, 0) }

// otherContent returns size bytes, all of which differ from those of content.
func otherContent(size int) string { return counted(size, 7) }

// counted returns bytes that count up from first, and start again after 250.
func counted(size, first int) string {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte((first + i) % 251)
	}
	return string(data)
}

// A requestCount is the number of requests that reached the store.
type requestCount struct {
	gets  int
	heads int
}

// readAll reads the revision that attrs name. It also returns the requests of the read.
func (f *fixture) readAll(t *testing.T, attrs *storage.Attrs) (string, requestCount) {
	t.Helper()
	return f.read(t, attrs, 0, -1)
}

// read reads a range of the revision that attrs name. It also returns the requests of the read.
func (f *fixture) read(t *testing.T, attrs *storage.Attrs, offset, length int64) (string, requestCount) {
	t.Helper()
	gets := f.store.Count(faults.Get)
	heads := f.store.Count(faults.Head)

	data, got, err := storage.ReadAll(t.Context(), f, attrs.Key,
		storage.IfRevision(attrs.Revision), storage.WithRange(offset, length))
	require.NoError(t, err)
	require.Equal(t, attrs.Size, got.Size)
	require.Equal(t, attrs.Revision, got.Revision)
	return string(data), requestCount{
		gets:  f.store.Count(faults.Get) - gets,
		heads: f.store.Count(faults.Head) - heads,
	}
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

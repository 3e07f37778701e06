package diskcache

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// Pinned reads are served from the disk.
func TestGetPinnedFromDisk(t *testing.T) {
	tests := []struct {
		name           string
		trustFor       time.Duration
		offset, length int64
		gets, heads    int // of the second read
	}{
		{name: "confirmed by a request", offset: 1500, length: 3000, heads: 1},
		{name: "trusted", trustFor: time.Minute, offset: 1500, length: 3000},
		{name: "one byte", offset: 9999, length: 1, heads: 1},
		{name: "the last bytes", offset: -1234, length: -1, heads: 1},
		{name: "to the end", offset: 3333, length: -1, heads: 1},
		{name: "the whole object", trustFor: time.Minute, length: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, Config{TrustFor: tt.trustFor})
			a := f.put(t, "a", 10_123, 0)

			first, gets, _ := f.get(t, a, tt.offset, tt.length)
			require.Equal(t, 1, gets)
			second, gets, heads := f.get(t, a, tt.offset, tt.length)
			require.Equal(t, [2]int{tt.gets, tt.heads}, [2]int{gets, heads})

			start, end := span(a.Size, tt.offset, tt.length)
			require.Equal(t, content(10_123, 0)[start:end], first)
			require.Equal(t, first, second)
		})
	}
}

// span returns the range of bytes that an offset and a length select.
func span(size, offset, length int64) (from, to int64) {
	if offset < 0 {
		return size + offset, size
	}
	if length < 0 {
		return offset, size
	}
	return offset, offset + length
}

// Only missing blocks are fetched.
func TestGetFetchesMissingBlocks(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.put(t, "a", 10_000, 0)
	f.get(t, a, 2500, 10)   // block 2
	f.get(t, a, 5000, 2000) // blocks 5 and 6

	require.Len(t, f.files(t), 3)
	f.store.Reset()
	got, gets, heads := f.get(t, a, 1500, 7000) // 1, 3 to 4, 7 to 8
	require.Equal(t, content(10_000, 0)[1500:8500], got)
	require.Equal(t, [2]int{3, 0}, [2]int{gets, heads})
	require.Len(t, f.files(t), 8)
}

// If a read names no revision and Config.Unpinned is false, the read bypasses the cache.
func TestGetWithoutRevision(t *testing.T) {
	f := newFixture(t, Config{TrustFor: time.Hour})
	a := f.put(t, "a", 5000, 0)
	for range 2 {
		_, _, err := storage.ReadAll(t.Context(), f, "a", storage.WithRange(10, 100))
		require.NoError(t, err)
		_, _, err = storage.ReadAll(t.Context(), f, "a", storage.IfRevisionNot(a.Revision+"x"))
		require.NoError(t, err)
	}
	require.Equal(t, 4, f.store.Count(faults.Get))
	require.Empty(t, f.files(t))
}

// A download that names no revision asks the store only for the attributes. If the disk has the blocks of that
// revision, the bytes come from there.
func TestGetUnpinnedFromDisk(t *testing.T) {
	tests := []struct {
		name        string
		size        int
		opts        []storage.DownloadOption
		gets, heads int // of the second read
	}{
		{name: "the whole object", size: 10_123, heads: 1},
		{
			name:  "a range",
			size:  10_123,
			opts:  []storage.DownloadOption{storage.WithRange(1500, 3000)},
			heads: 1,
		},
		{
			name:  "the last bytes",
			size:  10_123,
			opts:  []storage.DownloadOption{storage.WithRange(-1234, -1)},
			heads: 1,
		},
		{name: "an empty object", heads: 1},
		{
			name:  "nothing after the end",
			size:  10_123,
			opts:  []storage.DownloadOption{storage.WithRange(10_123, -1)},
			heads: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, Config{Unpinned: true, TrustFor: time.Hour})
			readText := func() string {
				f.store.Reset()
				got, attrs, err := storage.ReadAll(t.Context(), f, "a", tt.opts...)
				require.NoError(t, err)
				require.EqualValues(t, tt.size, attrs.Size)
				return string(got)
			}
			f.put(t, "a", tt.size, 0)

			first := readText()
			require.Equal(t, first, readText())
			require.Equal(t, [2]int{tt.gets, tt.heads},
				[2]int{f.store.Count(faults.Get), f.store.Count(faults.Head)})

			f.put(t, "a", tt.size, 7)
			require.Equal(t, first == "", first == readText(), "it was replaced")
			require.NoError(t, f.Remove(t.Context(), "a"))
			_, err := f.Download(t.Context(), "a", tt.opts...)
			require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err))
		})
	}
}

// A racing driver replaces an object after each Head, as another writer does.
type racing struct{ driver.Driver }

func (r racing) Head(ctx context.Context, get *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := r.Driver.Head(ctx, get)
	if err == nil {
		_, err = r.Put(ctx, &driver.PutRequest{
			Key:  get.Key,
			Body: strings.NewReader(content(3000, 7)),
			Size: 3000,
		})
	}
	return attrs, err
}

// If an object is replaced during an unpinned read, the read returns the new object.
func TestGetUnpinnedOfReplacedObject(t *testing.T) {
	tests := []struct {
		name     string
		size     int // before
		trustFor time.Duration
		opts     []storage.DownloadOption
		from     int
	}{
		{name: "the whole object", size: 3000},
		{name: "that is trusted", size: 3000, trustFor: time.Hour},
		{
			name:     "a range",
			size:     3000,
			trustFor: time.Hour,
			opts:     []storage.DownloadOption{storage.WithRange(1500, -1)},
			from:     1500,
		},
		{
			name: "the last bytes",
			size: 3000,
			opts: []storage.DownloadOption{storage.WithRange(-1234, -1)},
			from: 1766,
		},
		{
			name: "the last bytes of a smaller one",
			size: 10,
			opts: []storage.DownloadOption{storage.WithRange(-1234, -1)},
			from: 1766,
		},
		{
			name: "past the end of a smaller one",
			size: 10,
			opts: []storage.DownloadOption{storage.WithRange(1500, -1)},
			from: 1500,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cache, err := Open(t.TempDir(), Config{Unpinned: true, BlockBytes: 1000, TrustFor: tt.trustFor})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, cache.Close()) })
			race := func(next driver.Driver) driver.Driver { return racing{next} }
			b := memstore.New(driver.WithLayer(race), driver.WithLayer(cache.Layer()))
			_, err = b.Upload(t.Context(), "a", strings.NewReader(content(tt.size, 0)))
			require.NoError(t, err)
			for range 2 {
				got, _, err := storage.ReadAll(t.Context(), b, "a", tt.opts...)
				require.NoError(t, err)
				require.Equal(t, content(3000, 7)[tt.from:], string(got))
			}
		})
	}
}

// A nativeDriver returns native attributes.
type nativeDriver struct{ driver.Driver }

func (a nativeDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := a.Driver.Get(ctx, r)
	if err == nil && r.NativeAttrs {
		attrs.Native = "an answer"
	}
	return attrs, body, err
}

// WithNativeAttrs makes a request to the store, also if the blocks are cached.
func TestGetNativeAttrs(t *testing.T) {
	for _, unpinned := range []bool{false, true} {
		t.Run(fmt.Sprintf("unpinned %v", unpinned), func(t *testing.T) {
			cache, err := Open(t.TempDir(), Config{Unpinned: unpinned})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, cache.Close()) })
			native := func(next driver.Driver) driver.Driver { return nativeDriver{next} }
			b := memstore.New(driver.WithLayer(native), driver.WithLayer(cache.Layer()))
			a, err := b.Upload(t.Context(), "a", strings.NewReader(content(3000, 0)))
			require.NoError(t, err)
			for _, opts := range [][]storage.DownloadOption{{storage.IfRevision(a.Revision)}, nil} {
				_, attrs, err := storage.ReadAll(t.Context(), b, "a",
					append(opts, storage.WithNativeAttrs())...)
				require.NoError(t, err)
				require.Equal(t, "an answer", attrs.Native)
			}
		})
	}
}

// A read of a version with IfRevision is served from the disk. On S3, two versions with equal bytes may share a
// revision, but each has its own attributes.
func TestGetPinnedVersionFromDisk(t *testing.T) {
	for _, trustFor := range []time.Duration{0, time.Hour} {
		t.Run(fmt.Sprint(trustFor), func(t *testing.T) {
			cache, err := Open(t.TempDir(), Config{BlockBytes: 1000, TrustFor: trustFor})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, cache.Close()) })
			store := faults.New()
			sameRevision := func(next driver.Driver) driver.Driver { return oneRevision{next} }
			layers := []storage.OpenOption{
				driver.WithLayer(sameRevision), driver.WithLayer(store.Layer()),
				driver.WithLayer(cache.Layer()),
			}
			b := engine.New(memstore.NewDriver(memstore.Config{Versioned: true}), layers...)
			var versions []string
			for _, kind := range []string{"text/plain", "text/html"} {
				a, err := b.Upload(t.Context(), "a", strings.NewReader(content(3000, 0)),
					storage.WithContentType(kind))
				require.NoError(t, err)
				versions = append(versions, a.Version)
			}

			for range 2 {
				for i, kind := range []string{"text/plain", "text/html"} {
					got, attrs, err := storage.ReadAll(t.Context(), b, "a",
						storage.WithVersion(versions[i]), storage.IfRevision("memory:1"))
					require.NoError(t, err)
					require.Equal(t, content(3000, 0), string(got))
					require.Equal(t, [2]string{versions[i], kind},
						[2]string{attrs.Version, attrs.ContentType})
				}
			}
			require.Equal(t, 1, store.Count(faults.Get))
		})
	}
}

// A oneRevision driver returns the same revision for all objects and versions.
type oneRevision struct{ driver.Driver }

func (o oneRevision) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, body, err := o.Get(ctx, r)
	if err == nil {
		err = body.Close()
	}
	return attrs, err
}

func (o oneRevision) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	req := *r
	req.Condition = storage.Condition{}
	attrs, body, err := o.Driver.Get(ctx, &req)
	if err == nil {
		attrs.Revision = "memory:1"
	}
	return attrs, body, err
}

// Blocks of one revision are not used for another revision.
func TestGetOtherRevisionHasOtherBlocks(t *testing.T) {
	f := newFixture(t, Config{})
	old := f.put(t, "a", 3000, 0)
	f.get(t, old, 0, -1)
	current := f.put(t, "a", 3000, 7)

	_, err := f.Download(t.Context(), "a", storage.IfRevision(old.Revision))
	require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err))
	got, gets, _ := f.get(t, current, 0, -1)
	require.Equal(t, 1, gets)
	require.Equal(t, content(3000, 7), got)

	require.NoError(t, f.Remove(t.Context(), "a"))
	_, err = f.Download(t.Context(), "a", storage.IfRevision(current.Revision))
	require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err))
}

// A careless store ignores conditions.
type careless struct{ driver.Driver }

func (c careless) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	free := *r
	free.Condition = storage.Condition{}
	return c.Driver.Get(ctx, &free)
}

func (c careless) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	return c.Driver.Head(ctx, &driver.GetRequest{Key: r.Key, Length: -1})
}

// If a store ignores conditions and returns another revision, the cache does not keep it.
func TestGetKeepsNoOtherRevision(t *testing.T) {
	f := newFixtureIn(t, filepath.Join(t.TempDir(), "cache"), Config{},
		careless{memstore.NewDriver(memstore.Config{})})
	old := f.put(t, "a", 3000, 0)
	f.get(t, old, 0, 1000)
	f.put(t, "a", 3000, 7)
	for _, offset := range []int64{0, 1000} { // a block that is in the cache, and one that is not
		_, err := f.Download(t.Context(), "a", storage.IfRevision(old.Revision),
			storage.WithRange(offset, 1000))
		require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err))
	}
	require.Len(t, f.files(t), 1)
}

// After TrustFor, the cache asks the store again whether the revision is current.
func TestTrustForEnds(t *testing.T) {
	f := newFixture(t, Config{TrustFor: time.Minute})
	old := f.put(t, "a", 3000, 0)
	f.get(t, old, 0, -1)
	f.put(t, "a", 3000, 7)
	f.time = f.time.Add(59 * time.Second)

	got, gets, heads := f.get(t, old, 100, 2000)
	require.Equal(t, content(3000, 0)[100:2100], got)
	require.Equal(t, [2]int{}, [2]int{gets, heads})

	f.time = f.time.Add(time.Second)
	_, err := f.Download(t.Context(), "a", storage.IfRevision(old.Revision))
	require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err))
}

// Damaged blocks are fetched again.
func TestGetRefetchesDamagedBlocks(t *testing.T) {
	flipByte := func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 1
		return os.WriteFile(path, data, 0o600)
	}
	truncateTo := func(size int64) func(path string) error {
		return func(path string) error { return os.Truncate(path, size) }
	}
	writeZeros := func(path string) error {
		return os.WriteFile(path, make([]byte, blockBytes+headerBytes), 0o600)
	}

	tests := map[string]func(path string) error{
		"a byte is flipped":               flipByte,
		"empty, as after a power failure": truncateTo(0),
		"cut":                             truncateTo(500),
		"zeros":                           writeZeros,
		"longer":                          truncateTo(5000),
		"removed":                         os.Remove,
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Config{})
			a := f.put(t, "a", 3000, 0)
			f.get(t, a, 0, -1)
			for _, path := range f.files(t) {
				require.NoError(t, damage(path))
			}
			for _, wantGets := range []int{1, 0} {
				got, gets, _ := f.get(t, a, 1000, 1000)
				require.Equal(t, content(3000, 0)[1000:2000], got)
				require.Equal(t, wantGets, gets)
			}
		})
	}
}

// The least recently used blocks are removed first.
func TestMaxBytesRemovesLeastRecentlyUsed(t *testing.T) {
	const maxBytes = 40 * (blockBytes + headerBytes)
	f := newFixture(t, Config{MaxBytes: maxBytes})
	a := f.put(t, "a", 200*blockBytes, 0)
	now := time.Now()
	f.time = now.Add(24 * time.Hour)

	// readBlock returns how many Gets reach the store. It also gives new files the time of the fixture, because
	// the system's clock is too coarse to order them.
	readBlock := func(block int64) (gets int) {
		f.time = f.time.Add(2 * touchAfter)
		_, gets, _ = f.get(t, a, block*blockBytes, 1)
		for _, path := range f.files(t) {
			if info, err := os.Stat(path); err == nil && info.ModTime().Before(now.Add(time.Hour)) {
				require.NoError(t, os.Chtimes(path, f.time, f.time))
			}
		}
		return gets
	}

	// The cache keeps the last of 200 blocks, and no more are removed than necessary.
	for block := range int64(200) {
		require.Equal(t, 1, readBlock(block))
		require.LessOrEqual(t, f.bytes(t), int64(maxBytes))
	}
	require.GreaterOrEqual(t, f.bytes(t), int64(maxBytes)*7/8)
	require.Zero(t, readBlock(199))

	// A block that is old, but was used just now, outlives the one after it.
	require.Zero(t, readBlock(170))
	for block := range int64(25) {
		require.Equal(t, 1, readBlock(block))
	}
	require.Zero(t, readBlock(170))
	require.Equal(t, 1, readBlock(171))
}

// bytes returns the size of all blocks on the disk.
func (f *fixture) bytes(t *testing.T) (total int64) {
	for _, path := range f.files(t) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		total += info.Size()
	}
	return total
}

// A block larger than the cache is not kept.
func TestMaxBytesBelowBlock(t *testing.T) {
	f := newFixture(t, Config{MaxBytes: 500})
	a := f.put(t, "a", 3000, 0)
	for range 2 {
		got, gets, _ := f.get(t, a, 0, -1)
		require.Equal(t, content(3000, 0), got)
		require.Equal(t, 1, gets)
	}
	require.Empty(t, f.files(t))
}

// Several processes share a directory.
func TestOpenByProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	store := memstore.NewDriver(memstore.Config{})
	var processes []*fixture
	for range 3 {
		processes = append(processes, newFixtureIn(t, dir, Config{MaxBytes: 20 * blockBytes}, shared{store}))
	}
	a := processes[0].put(t, "a", 100*blockBytes, 0)
	want := content(100*blockBytes, 0)

	// Two readers in each process read scattered ranges.
	var all sync.WaitGroup
	for n, p := range processes {
		for worker := range 2 {
			all.Go(func() {
				for i := range testserver.Sample(int64(50), 150) {
					offset := (i*7 + int64(n*worker)*13) % 97 * blockBytes
					data, _, err := storage.ReadAll(t.Context(), p, "a", storage.IfRevision(a.Revision),
						storage.WithRange(offset, 2500))
					if err != nil || string(data) != want[offset:offset+2500] {
						t.Errorf("%d bytes at %d: %v", len(data), offset, err)
					}
				}
			})
		}
	}
	all.Wait()
	for _, path := range processes[0].files(t) {
		require.NotContains(t, filepath.Base(path), tempPrefix)
	}

	_, gets, _ := processes[1].get(t, a, 0, blockBytes)
	_, reads, _ := processes[2].get(t, a, 0, blockBytes)
	require.LessOrEqual(t, gets+reads, 1, "one has fetched it for both")
}

// Several buckets use one store through a shared driver. Its Close does nothing, so that the store stays open for
// the other buckets.
type shared struct{ driver.Driver }

func (shared) Close() error { return nil }

// Blocks of different buckets, keys and revisions have different names.
func TestBlockNamesAreApart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	one := newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))
	names := map[string]bool{}

	keys := []string{"k", "../../etc/passwd", "/abs", "a\x00b", strings.Repeat("k", 1024), "r"}
	for _, bucket := range []string{"x", "xk", ""} {
		for _, key := range keys {
			for _, revision := range []string{"r", "kr", "../r"} {
				for number := range int64(2) {
					name := blockName(bucket, object{bucket, key, "", revision}, 64, number)
					require.Regexp(t, `^[0-9a-f]{2}/[0-9a-f]{64}$`, name)
					require.False(t, names[name])
					names[name] = true
				}
			}
		}
	}

	for _, key := range []string{"..a", "a/..b", "con", strings.Repeat("ü", 512)} {
		a := one.put(t, key, 100, len(key))
		for range 2 {
			got, _, _ := one.get(t, a, 0, -1)
			require.Equal(t, content(100, len(key)), got)
		}
	}

	files, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{dir}, files)
}

// Files are for their owner only.
func TestOpenFilesAreForOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows: files have no such modes")
	}
	f := newFixture(t, Config{})
	f.get(t, f.put(t, "a", 100, 0), 0, -1)

	for _, path := range append(f.files(t), f.dir, filepath.Dir(f.files(t)[0])) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
	}

	shared := filepath.Join(t.TempDir(), "shared")
	require.NoError(t, os.Mkdir(shared, 0o700))
	require.NoError(t, os.Chmod(shared, 0o777))
	_, err := Open(shared, Config{})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// Open fails with InvalidArgument for a bad configuration, and with Internal if the directory cannot be made.
func TestOpenRefusesBadArguments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := map[string]struct {
		dir    string
		config Config
		code   storage.Code
	}{
		"no directory":    {dir: "", config: Config{}, code: storage.InvalidArgument},
		"fewer bytes":     {dir: t.TempDir(), config: Config{MaxBytes: -1}, code: storage.InvalidArgument},
		"small blocks":    {dir: t.TempDir(), config: Config{BlockBytes: -1}, code: storage.InvalidArgument},
		"huge blocks":     {dir: t.TempDir(), config: Config{BlockBytes: 1 << 40}, code: storage.InvalidArgument},
		"the past":        {dir: t.TempDir(), config: Config{TrustFor: -1}, code: storage.InvalidArgument},
		"a file":          {dir: file, config: Config{}, code: storage.Internal},
		"below that file": {dir: filepath.Join(file, "x"), config: Config{}, code: storage.Internal},
	}
	for name, tt := range tests {
		_, err := Open(tt.dir, tt.config)
		require.Equal(t, tt.code, storage.CodeOf(err), "%s: %v", name, err)
	}
}

// Open removes the remains of a killed process.
func TestOpenRemovesRemainsOfKilledProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))
	blocks := filepath.Join(dir, blocksFolder)
	require.NoError(t, os.MkdirAll(filepath.Join(blocks, "ab"), 0o700))
	for name, age := range map[string]time.Duration{
		"ab/tmp-old":   2 * tempAge,
		"ab/tmp-new":   0,
		"ab/notes.txt": 2 * tempAge,
		"notes.txt":    2 * tempAge,
	} {
		path := filepath.Join(blocks, name)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
	}

	f := newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))
	var leftovers []string
	for _, path := range f.files(t) {
		leftovers = append(leftovers,
			strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(blocks)+"/"))
	}

	require.Equal(t, []string{"ab/notes.txt", "ab/tmp-new", "notes.txt"}, leftovers)
}

// A directory that fails does not fail reads.
func TestGetWithFailingDirectory(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.put(t, "a", 3000, 0)
	f.get(t, a, 0, -1)
	require.NoError(t, f.cache.Close())
	for range 2 {
		got, gets, _ := f.get(t, a, 500, 2000)
		require.Equal(t, content(3000, 0)[500:2500], got)
		require.Equal(t, 1, gets)
	}
}

// A ReaderAt reads from the disk.
func TestReaderAtFromDisk(t *testing.T) {
	f := newFixture(t, Config{TrustFor: time.Minute})
	f.put(t, "a", 50_000, 0)
	for run, gets := range []int{1, 0} {
		count := f.store.Count(faults.Get)
		r, err := storage.NewReaderAt(t.Context(), f, "a", storage.WithBlockSize(blockBytes))
		require.NoError(t, err)
		p := make([]byte, 64)
		for i := range int64(10) {
			_, err := r.ReadAt(p, 20_000+64*i)
			require.NoError(t, err)
		}

		require.Equal(t, content(50_000, 0)[20_576:20_640], string(p))
		require.NoError(t, r.Close())
		require.Equal(t, gets, f.store.Count(faults.Get)-count, "run %d", run)
	}
	require.Equal(t, 2, f.store.Count(faults.Head))
}

// The engine may call Describe again while other calls read.
func TestDescribeDuringReads(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.put(t, "a", 1000, 0)
	d := f.cache.Layer()(memstore.NewDriver(memstore.Config{}))
	_ = d.Describe()
	var group sync.WaitGroup
	group.Go(func() {
		_ = d.Describe()
	})

	_, _, err := d.Get(t.Context(), &driver.GetRequest{
		Key:       "a",
		Length:    -1,
		Condition: storage.Condition{Revision: a.Revision},
	})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	group.Wait()
}

// If the connection breaks in the middle of a read, the read resumes.
func TestGetResumesAfterDrop(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.put(t, "a", 10_000, 0)
	f.store.Set(faults.Cut(faults.Get, 2500).Nth(1))
	got, gets, _ := f.get(t, a, 100, 9000)
	require.Equal(t, content(10_000, 0)[100:9100], got)
	require.Equal(t, 2, gets)
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cache, err := Open(filepath.Join(dir, "cache"), Config{MaxBytes: 10 << 30})
	if err != nil {
		panic(err)
	}
	defer cache.Close()
	bucket := memstore.New(driver.WithLayer(cache.Layer()))
	defer storage.Close(bucket)

	ctx := context.Background()
	_, _ = bucket.Upload(ctx, "table.bin", strings.NewReader("head, columns, foot"))
	r, err := storage.NewReaderAt(ctx, bucket, "table.bin")
	if err != nil {
		panic(err)
	}
	defer r.Close()
	foot := make([]byte, 4)
	_, err = r.ReadAt(foot, r.Size()-4) // from the disk the next time
	fmt.Println(string(foot), err == nil || err == io.EOF)
	// Output: foot true
}

// Describe may be called while other goroutines read.
func TestDescribeConcurrently(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.put(t, "a", 3000, 0)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			_, err := f.Attrs(t.Context(), "a", storage.WithVersion("1")) // the hint is in the description
			if storage.CodeOf(err) != storage.Unsupported {
				t.Error(err)
			}
			if _, _, err := storage.ReadAll(t.Context(), f, "a", storage.IfRevision(a.Revision)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// A forbidding driver forbids reads, as a store does for other credentials.
type forbidding struct{ driver.Driver }

func (forbidding) Close() error { return nil }

func (forbidding) Head(context.Context, *driver.GetRequest) (*storage.Attrs, error) {
	return nil, storage.PermissionDenied
}

func (forbidding) Get(context.Context, *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	return nil, nil, storage.PermissionDenied
}

// TrustFor does not let a bucket with other credentials read cached blocks without a request.
func TestTrustForOtherCredentials(t *testing.T) {
	store := memstore.NewDriver(memstore.Config{})
	f := newFixtureIn(t, filepath.Join(t.TempDir(), "cache"), Config{TrustFor: time.Hour}, store)
	a := f.put(t, "a", 3000, 0)
	f.get(t, a, 0, -1)
	other := engine.New(forbidding{store}, driver.WithLayer(f.cache.Layer()))

	_, _, err := storage.ReadAll(t.Context(), other, "a", storage.IfRevision(a.Revision))
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.NoError(t, storage.Close(other))
}

// MaxBytes counts blocks that are still being written, although no scan of the directory finds them yet.
func TestMaxBytesCountsBlocksBeingWritten(t *testing.T) {
	f := newFixture(t, Config{MaxBytes: 4 * blockBytes})
	for i := range 10 {
		require.Equal(t, i < 4, f.cache.makeRoom(blockBytes))
	}
	f.cache.endWrite(blockBytes, nil)
	require.True(t, f.cache.makeRoom(blockBytes))
}

// If the disk is full before MaxBytes is reached, the cache removes old blocks. Otherwise it would keep its first
// blocks forever.
func TestMaxBytesOnFullDisk(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.put(t, "a", 32*blockBytes, 0)
	f.get(t, a, 0, -1)
	now := time.Now()
	f.cache.now = func() time.Time { return now }

	// If the disk is full, a sixteenth of the blocks gives way, and one more for the block to come. Then the
	// cache removes none for a while.
	writes := []struct {
		wait time.Duration // before the write
		err  error
		left int // of 32 blocks
	}{
		{wait: 0, err: syscall.ENOSPC, left: 29},
		{wait: fullPause / 2, err: syscall.ENOSPC, left: 29},
		{wait: fullPause, err: nil, left: 29},
		{wait: 0, err: syscall.EDQUOT, left: 26},
		{wait: fullPause, err: syscall.EIO, left: 26},
	}
	for _, write := range writes {
		now = now.Add(write.wait)
		full := f.cache.endWrite(0, &fs.PathError{Err: write.err})
		require.Equal(t, write.left < len(f.files(t)), full, "%v", write.err)
		require.True(t, f.cache.makeRoom(blockBytes))
		f.cache.endWrite(blockBytes, nil)
		require.Len(t, f.files(t), write.left, "%v", write.err)
	}
}

// If the bytes of a whole read do not match the object's checksum, the cache does not keep them.
func TestGetKeepsNoDamagedBlocks(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.put(t, "a", 3500, 0)
	f.store.Set(faults.Corrupt(faults.Get, 1500).Nth(1))

	_, _, err := storage.ReadAll(t.Context(), f, "a", storage.IfRevision(a.Revision))
	require.Equal(t, storage.ChecksumMismatch, storage.CodeOf(err))
	got, _, _ := f.get(t, a, 0, -1)
	require.Equal(t, content(3500, 0), got)
	require.Len(t, f.files(t), 4)
}

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

// A read that names a revision comes from the disk once the cache has its blocks.
func TestGetPinnedFromDisk(t *testing.T) {
	const size = 10_123
	text := content(size)
	tests := []struct {
		name     string
		trustFor time.Duration
		offset   int64
		length   int64
		text     string
		second   requestCount // of the second read
	}{
		{
			name:   "confirmed by a request",
			offset: 1500,
			length: 3000,
			text:   text[1500:4500],
			second: requestCount{heads: 1},
		},
		{
			name:     "trusted",
			trustFor: time.Minute,
			offset:   1500,
			length:   3000,
			text:     text[1500:4500],
		},
		{
			name:   "one byte",
			offset: 9999,
			length: 1,
			text:   text[9999:10_000],
			second: requestCount{heads: 1},
		},
		{
			name:   "the last bytes",
			offset: -1234,
			length: -1,
			text:   text[size-1234:],
			second: requestCount{heads: 1},
		},
		{
			name:   "to the end",
			offset: 3333,
			length: -1,
			text:   text[3333:],
			second: requestCount{heads: 1},
		},
		{
			name:     "the whole object",
			trustFor: time.Minute,
			length:   -1,
			text:     text,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, Config{TrustFor: tt.trustFor})
			attrs := f.put(t, "a", text)

			got, requests := f.read(t, attrs, tt.offset, tt.length)
			require.Equal(t, tt.text, got)
			require.Equal(t, 1, requests.gets)

			got, requests = f.read(t, attrs, tt.offset, tt.length)
			require.Equal(t, tt.text, got)
			require.Equal(t, tt.second, requests)
		})
	}
}

// Only missing blocks are fetched, with one request for each run of them.
func TestGetFetchesMissingBlocks(t *testing.T) {
	f := newFixture(t, Config{})
	text := content(10_000)
	attrs := f.put(t, "a", text)
	f.read(t, attrs, 2500, 10)   // block 2
	f.read(t, attrs, 5000, 2000) // blocks 5 and 6
	require.Len(t, f.files(t), 3)

	// Blocks 1 to 8 are needed. Of these, 1, 3 to 4, and 7 to 8 are missing.
	f.store.Reset()
	got, requests := f.read(t, attrs, 1500, 7000)
	require.Equal(t, text[1500:8500], got)
	require.Equal(t, requestCount{gets: 3}, requests)
	require.Len(t, f.files(t), 8)
}

// A read without a revision bypasses the cache, unless Config.Unpinned is set.
func TestGetWithoutRevision(t *testing.T) {
	f := newFixture(t, Config{TrustFor: time.Hour})
	attrs := f.put(t, "a", content(5000))

	for range 2 {
		_, _, err := storage.ReadAll(t.Context(), f, "a", storage.WithRange(10, 100))
		require.NoError(t, err)
		_, _, err = storage.ReadAll(t.Context(), f, "a", storage.IfRevisionNot(attrs.Revision+"x"))
		require.NoError(t, err)
	}

	require.Equal(t, 4, f.store.Count(faults.Get), "each read reaches the store")
	require.Empty(t, f.files(t))
}

// With Unpinned, a download without a revision asks the store for the current one, and takes its bytes
// from the disk if they are there.
func TestGetUnpinnedFromDisk(t *testing.T) {
	const size = 10_123
	tests := []struct {
		name string
		size int // of the object
		opts []storage.DownloadOption
	}{
		{name: "the whole object", size: size},
		{name: "a range", size: size, opts: []storage.DownloadOption{storage.WithRange(1500, 3000)}},
		{name: "the last bytes", size: size, opts: []storage.DownloadOption{storage.WithRange(-1234, -1)}},
		{name: "an empty object", size: 0},
		{name: "nothing after the end", size: size, opts: []storage.DownloadOption{storage.WithRange(size, -1)}},
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
			f.put(t, "a", content(tt.size))

			// The second read needs only the attributes from the store.
			first := readText()
			second := readText()
			require.Equal(t, first, second)
			require.Zero(t, f.store.Count(faults.Get))
			require.Equal(t, 1, f.store.Count(faults.Head))

			// A replaced object is read from the store.
			f.put(t, "a", otherContent(tt.size))
			replaced := readText()
			if first == "" {
				require.Empty(t, replaced)
			} else {
				require.NotEqual(t, first, replaced)
			}

			// A removed object is not found, although its blocks are on the disk.
			require.NoError(t, f.Remove(t.Context(), "a"))
			_, err := f.Download(t.Context(), "a", tt.opts...)
			require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err))
		})
	}
}

// A racing driver replaces an object by racingText after each Head, as another writer does.
type racing struct{ driver.Driver }

var racingText = otherContent(3000)

// Head returns the attributes of an object, and then replaces it.
func (r racing) Head(ctx context.Context, get *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := r.Driver.Head(ctx, get)
	if err != nil {
		return nil, err
	}
	put := &driver.PutRequest{
		Key:  get.Key,
		Body: strings.NewReader(racingText),
		Size: int64(len(racingText)),
	}
	if _, err := r.Put(ctx, put); err != nil {
		return nil, err
	}
	return attrs, nil
}

// If an object is replaced during a read without a revision, the read returns the new object. The store replaces the
// object just after it has returned the attributes from which the cache computes the range.
func TestGetUnpinnedOfReplacedObject(t *testing.T) {
	tests := []struct {
		name     string
		size     int // of the object that is replaced
		trustFor time.Duration
		opts     []storage.DownloadOption
		want     string
	}{
		{name: "the whole object", size: 3000, want: racingText},
		{name: "the whole object, trusted", size: 3000, trustFor: time.Hour, want: racingText},
		{
			name:     "a range",
			size:     3000,
			trustFor: time.Hour,
			opts:     []storage.DownloadOption{storage.WithRange(1500, -1)},
			want:     racingText[1500:],
		},
		{
			name: "the last bytes",
			size: 3000,
			opts: []storage.DownloadOption{storage.WithRange(-1234, -1)},
			want: racingText[3000-1234:],
		},
		{
			name: "the last bytes, in place of a smaller object",
			size: 10,
			opts: []storage.DownloadOption{storage.WithRange(-1234, -1)},
			want: racingText[3000-1234:],
		},
		{
			name: "a range past the end of a smaller object",
			size: 10,
			opts: []storage.DownloadOption{storage.WithRange(1500, -1)},
			want: racingText[1500:],
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cache, err := Open(t.TempDir(), Config{Unpinned: true, BlockBytes: 1000, TrustFor: tt.trustFor})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, cache.Close()) })
			// After each Head, racing replaces the object by racingText.
			race := func(next driver.Driver) driver.Driver { return racing{next} }
			b := memstore.New(driver.WithLayer(race), driver.WithLayer(cache.Layer()))
			_, err = b.Upload(t.Context(), "a", strings.NewReader(content(tt.size)))
			require.NoError(t, err)

			// The second read may use the cache.
			for range 2 {
				got, _, err := storage.ReadAll(t.Context(), b, "a", tt.opts...)
				require.NoError(t, err)
				require.Equal(t, tt.want, string(got))
			}
		})
	}
}

// A nativeDriver returns native attributes.
type nativeDriver struct{ driver.Driver }

// Get returns native attributes if the request asks for them.
func (a nativeDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := a.Driver.Get(ctx, r)
	if err == nil && r.NativeAttrs {
		attrs.Native = "an answer"
	}
	return attrs, body, err
}

// A read with WithNativeAttrs returns the native attributes of the store, which the cache does not keep.
func TestGetNativeAttrs(t *testing.T) {
	for _, unpinned := range []bool{false, true} {
		t.Run(fmt.Sprintf("unpinned %v", unpinned), func(t *testing.T) {
			cache, err := Open(t.TempDir(), Config{Unpinned: unpinned})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, cache.Close()) })
			// The store returns "an answer" as native attributes.
			native := func(next driver.Driver) driver.Driver { return nativeDriver{next} }
			b := memstore.New(driver.WithLayer(native), driver.WithLayer(cache.Layer()))
			attrs, err := b.Upload(t.Context(), "a", strings.NewReader(content(3000)))
			require.NoError(t, err)

			_, pinned, err := storage.ReadAll(t.Context(), b, "a",
				storage.IfRevision(attrs.Revision), storage.WithNativeAttrs())
			require.NoError(t, err)
			require.Equal(t, "an answer", pinned.Native)

			_, newest, err := storage.ReadAll(t.Context(), b, "a", storage.WithNativeAttrs())
			require.NoError(t, err)
			require.Equal(t, "an answer", newest.Native)
		})
	}
}

// A read of a version with IfRevision comes from the disk. Its attributes are those of this
// version, even if another version has the same revision.
func TestGetPinnedVersionFromDisk(t *testing.T) {
	for _, trustFor := range []time.Duration{0, time.Hour} {
		t.Run(fmt.Sprintf("TrustFor %v", trustFor), func(t *testing.T) {
			cache, err := Open(t.TempDir(), Config{BlockBytes: 1000, TrustFor: trustFor})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, cache.Close()) })
			store := faults.New()
			// All versions have one revision, theRevision.
			sameRevision := func(next driver.Driver) driver.Driver { return oneRevision{next} }
			b := engine.New(
				memstore.NewDriver(memstore.Config{Versioned: true}),
				driver.WithLayer(sameRevision),
				driver.WithLayer(store.Layer()),
				driver.WithLayer(cache.Layer()),
			)

			// Upload the same bytes twice, with different attributes.
			text := content(3000)
			contentTypes := []string{"text/plain", "text/html"}
			versions := make([]string, len(contentTypes))
			for i, contentType := range contentTypes {
				attrs, err := b.Upload(t.Context(), "a", strings.NewReader(text), storage.WithContentType(contentType))
				require.NoError(t, err)
				versions[i] = attrs.Version
			}

			// Only the first of four reads, two for each version, fetches the blocks.
			for range 2 {
				for i, version := range versions {
					got, attrs, err := storage.ReadAll(t.Context(), b, "a",
						storage.WithVersion(version), storage.IfRevision(theRevision))
					require.NoError(t, err)
					require.Equal(t, text, string(got))
					require.Equal(t, version, attrs.Version)
					require.Equal(t, contentTypes[i], attrs.ContentType)
				}
			}
			require.Equal(t, 1, store.Count(faults.Get), "both versions use the same blocks")
		})
	}
}

// A oneRevision driver returns theRevision for all objects and versions.
type oneRevision struct{ driver.Driver }

const theRevision = "memory:1"

// Head returns the same revision for every version.
func (o oneRevision) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, body, err := o.Get(ctx, r)
	if err != nil {
		return nil, err
	}
	return attrs, body.Close()
}

// Get ignores the condition, and returns the same revision for every version.
func (o oneRevision) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	unconditional := *r
	unconditional.Condition = storage.Condition{}
	attrs, body, err := o.Driver.Get(ctx, &unconditional)
	if err != nil {
		return nil, nil, err
	}
	attrs.Revision = theRevision
	return attrs, body, nil
}

// Blocks of one revision of an object are never used for another one.
func TestGetOtherRevisionHasOtherBlocks(t *testing.T) {
	// The cache has the blocks of the old revision when the object is replaced.
	f := newFixture(t, Config{})
	old := f.put(t, "a", content(3000))
	f.readAll(t, old)
	current := f.put(t, "a", otherContent(3000))

	// A read of the old revision fails, although its blocks are on the disk.
	_, err := f.Download(t.Context(), "a", storage.IfRevision(old.Revision))
	require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err))

	// A read of the current revision gets its bytes from the store.
	got, requests := f.readAll(t, current)
	require.Equal(t, 1, requests.gets)
	require.Equal(t, otherContent(3000), got)

	// A removed object is not found, although its blocks are on the disk.
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

// If a store ignores the condition of a read and returns another revision, the read fails. The cache does not keep
// the bytes, because it would return them for the wrong revision later.
func TestGetKeepsNoOtherRevision(t *testing.T) {
	// A careless store ignores conditions.
	dir := filepath.Join(t.TempDir(), "cache")
	f := newFixtureIn(t, dir, Config{}, careless{memstore.NewDriver(memstore.Config{})})

	// Read the first block of the object into the cache, and then replace the object.
	old := f.put(t, "a", content(3*blockBytes))
	f.read(t, old, 0, blockBytes)
	f.put(t, "a", otherContent(3*blockBytes))

	tests := []struct {
		name   string
		offset int64
	}{
		{name: "a block in the cache", offset: 0},
		{name: "a block that the cache does not have", offset: blockBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.Download(t.Context(), "a",
				storage.IfRevision(old.Revision), storage.WithRange(tt.offset, blockBytes))
			require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err))
		})
	}
	require.Len(t, f.files(t), 1, "the cache must have only the block of the first read")
}

// For the time TrustFor, the cache trusts that a revision is still current. Then it asks the store again.
func TestTrustForEnds(t *testing.T) {
	const trustFor = time.Minute
	f := newFixture(t, Config{TrustFor: trustFor})

	// The cache has the old revision when the object is replaced.
	text := content(3000)
	old := f.put(t, "a", text)
	f.readAll(t, old)
	f.put(t, "a", otherContent(3000))

	// A second before the time is over, a read of the old revision needs no request.
	f.time = f.time.Add(trustFor - time.Second)
	got, requests := f.read(t, old, 100, 2000)
	require.Equal(t, text[100:2100], got)
	require.Zero(t, requests)

	// When the time is over, the read fails, because the store has another revision.
	f.time = f.time.Add(time.Second)
	_, err := f.Download(t.Context(), "a", storage.IfRevision(old.Revision))
	require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err))
}

// A damaged block is fetched again once, and then comes from the disk.
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
		return func(path string) error {
			return os.Truncate(path, size)
		}
	}
	writeZeros := func(path string) error {
		return os.WriteFile(path, make([]byte, blockBytes+headerBytes), 0o600)
	}

	tests := []struct {
		name   string
		damage func(path string) error
	}{
		{name: "a byte is flipped", damage: flipByte},
		{name: "empty, as after a power failure", damage: truncateTo(0)},
		{name: "shorter", damage: truncateTo(blockBytes / 2)},
		{name: "zeros", damage: writeZeros},
		{name: "longer", damage: truncateTo(5 * blockBytes)},
		{name: "removed", damage: os.Remove},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, Config{})
			text := content(3 * blockBytes)
			attrs := f.put(t, "a", text)
			f.readAll(t, attrs)
			for _, path := range f.files(t) {
				require.NoError(t, tt.damage(path))
			}

			for _, wantGets := range []int{1, 0} {
				got, requests := f.read(t, attrs, blockBytes, blockBytes)
				require.Equal(t, text[blockBytes:2*blockBytes], got)
				require.Equal(t, wantGets, requests.gets)
			}
		})
	}
}

// If the cache is full, the least recently used blocks are removed first.
func TestMaxBytesRemovesLeastRecentlyUsed(t *testing.T) {
	const maxBlocks = 40
	const maxBytes = maxBlocks * (blockBytes + headerBytes)
	const objectBlocks = 200
	f := newFixture(t, Config{MaxBytes: maxBytes})
	attrs := f.put(t, "a", content(objectBlocks*blockBytes))

	// The cache orders its blocks by the modification times of their files. The clock of the system is too coarse to
	// order new files. So setTimeOfNewFiles gives them the time of the cache's clock, which is a day ahead.
	systemTime := time.Now()
	f.time = systemTime.Add(24 * time.Hour)
	setTimeOfNewFiles := func() {
		for _, path := range f.files(t) {
			info, err := os.Stat(path)
			if err == nil && info.ModTime().Before(systemTime.Add(time.Hour)) {
				require.NoError(t, os.Chtimes(path, f.time, f.time))
			}
		}
	}

	// isCached reads a block, and reports whether it came from the cache.
	isCached := func(block int64) bool {
		f.time = f.time.Add(2 * touchAfter)
		_, requests := f.read(t, attrs, block*blockBytes, 1)
		setTimeOfNewFiles()
		require.LessOrEqual(t, requests.gets, 1)
		return requests.gets == 0
	}

	// Read all blocks. The cache is never too large, and at the end it is almost full.
	for block := range int64(objectBlocks) {
		require.False(t, isCached(block))
		require.LessOrEqual(t, f.bytes(t), int64(maxBytes))
	}
	require.GreaterOrEqual(t, f.bytes(t), int64(maxBytes)*7/8)
	require.True(t, isCached(objectBlocks-1), "the last block")

	// Use block 170 again, but not block 171.
	require.True(t, isCached(170))

	// Read other blocks, which take the place of older ones. Block 170, which was used again,
	// outlives block 171.
	for block := range int64(25) {
		require.False(t, isCached(block))
	}
	require.True(t, isCached(170))
	require.False(t, isCached(171))
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

// A block that is larger than the cache is not kept.
func TestMaxBytesBelowBlock(t *testing.T) {
	f := newFixture(t, Config{MaxBytes: blockBytes / 2})
	text := content(3000)
	attrs := f.put(t, "a", text)

	for range 2 {
		got, requests := f.readAll(t, attrs)
		require.Equal(t, text, got)
		require.Equal(t, 1, requests.gets)
	}
	require.Empty(t, f.files(t))
}

// Several processes can share a directory. Each one uses the blocks that another one has fetched.
func TestOpenByProcesses(t *testing.T) {
	const (
		objectBlocks = 100
		cachedBlocks = 20                 // fewer than the object has, so that blocks are also removed
		length       = blockBytes * 5 / 2 // bytes of each range
	)
	dir := filepath.Join(t.TempDir(), "cache")
	store := memstore.NewDriver(memstore.Config{})
	var processes []*fixture // each is like a process with its own cache in dir
	for range 3 {
		config := Config{MaxBytes: cachedBlocks * blockBytes}
		processes = append(processes, newFixtureIn(t, dir, config, shared{store}))
	}
	text := content(objectBlocks * blockBytes)
	attrs := processes[0].put(t, "a", text)

	// Two readers in each process read ranges at the same time.
	var readers sync.WaitGroup
	for number, process := range processes {
		for reader := range 2 {
			readers.Go(func() {
				for i := range testserver.Sample(int64(50), 150) {
					// The factors 7 and 13 scatter the ranges over all blocks at which a whole
					// range can begin.
					const firstBlocks = objectBlocks - 3
					block := (i*7 + int64(number*reader)*13) % firstBlocks
					offset := block * blockBytes
					data, _, err := storage.ReadAll(t.Context(), process, "a",
						storage.IfRevision(attrs.Revision), storage.WithRange(offset, length))
					if err != nil || string(data) != text[offset:offset+length] {
						t.Errorf("%d bytes at %d: %v", len(data), offset, err)
					}
				}
			})
		}
	}
	readers.Wait()

	// No write has left a temporary file.
	for _, path := range processes[0].files(t) {
		require.NotContains(t, filepath.Base(path), tempPrefix)
	}

	// The other two processes read the same block. At most one of them sends a request for it.
	_, requestsOfOne := processes[1].read(t, attrs, 0, blockBytes)
	_, requestsOfOther := processes[2].read(t, attrs, 0, blockBytes)
	gets := requestsOfOne.gets + requestsOfOther.gets
	require.LessOrEqual(t, gets, 1, "a block that one process has fetched serves the other")
}

// Several buckets use one store through a shared driver. Its Close does nothing, so the store stays
// open for the other buckets.
type shared struct{ driver.Driver }

func (shared) Close() error { return nil }

// Blocks of different buckets, keys and revisions never share a file name, even if their names are the
// same text when joined, such as "x" and "kr" or "xk" and "r".
func TestBlockNamesAreApart(t *testing.T) {
	const blockSize = 64
	buckets := []string{"x", "xk", ""}
	keys := []string{"k", "../../etc/passwd", "/abs", "a\x00b", strings.Repeat("k", 1024), "r"}
	revisions := []string{"r", "kr", "../r"}
	names := map[string]bool{}
	for _, bucket := range buckets {
		for _, key := range keys {
			for _, revision := range revisions {
				for block := range int64(2) {
					obj := object{bucket: bucket, key: key, revision: revision}
					name := blockName(bucket, obj, blockSize, block)
					require.Regexp(t, `^[0-9a-f]{2}/[0-9a-f]{64}$`, name)
					require.False(t, names[name], "the name of another block")
					names[name] = true
				}
			}
		}
	}
}

// An object whose key is no valid file name is cached like any other, inside the cache's directory.
func TestBlocksOfHostileKeysStayInDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	f := newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))

	for _, key := range []string{"..a", "a/..b", "con", strings.Repeat("ü", 512)} {
		content := fmt.Sprintf("text of %.10s", key)
		attrs := f.put(t, key, content)
		for range 2 {
			got, _ := f.readAll(t, attrs)
			require.Equal(t, content, got)
		}
	}

	files, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{dir}, files)
}

// The cache's files are for their owner only, and Open refuses a directory in which others may write.
func TestOpenFilesAreForOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows: files have no such modes")
	}
	f := newFixture(t, Config{})
	f.readAll(t, f.put(t, "a", content(100)))

	// Nobody but the owner may use the files of blocks, the cache's directory and a folder in it.
	const bitsOfOthers = 0o077 // of the group and of all others
	files := f.files(t)
	folder := filepath.Dir(files[0])
	for _, path := range append(files, f.dir, folder) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&bitsOfOthers, path)
	}

	// Open refuses a directory in which everybody may write.
	shared := filepath.Join(t.TempDir(), "shared")
	require.NoError(t, os.Mkdir(shared, 0o700))
	require.NoError(t, os.Chmod(shared, 0o777))
	_, err := Open(shared, Config{})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// Open fails with InvalidArgument for a bad configuration, and with Internal if it cannot make the
// directory.
func TestOpenRefusesBadArguments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := []struct {
		name   string
		dir    string
		config Config
		want   storage.Code
	}{
		{name: "no directory", dir: "", want: storage.InvalidArgument},
		{name: "negative MaxBytes", dir: t.TempDir(), config: Config{MaxBytes: -1}, want: storage.InvalidArgument},
		{name: "negative BlockBytes", dir: t.TempDir(), config: Config{BlockBytes: -1}, want: storage.InvalidArgument},
		{name: "huge BlockBytes", dir: t.TempDir(), config: Config{BlockBytes: 1 << 40}, want: storage.InvalidArgument},
		{name: "negative TrustFor", dir: t.TempDir(), config: Config{TrustFor: -1}, want: storage.InvalidArgument},
		{name: "a file", dir: file, want: storage.Internal},
		{name: "below a file", dir: filepath.Join(file, "x"), want: storage.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(tt.dir, tt.config)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// Open removes old temporary files, which a killed process has left. It keeps new ones and files with
// other names.
func TestOpenRemovesRemainsOfKilledProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))
	blocks := filepath.Join(dir, blocksFolder)
	require.NoError(t, os.MkdirAll(filepath.Join(blocks, "ab"), 0o700))

	files := []struct {
		name string
		age  time.Duration
	}{
		{name: "ab/tmp-old", age: 2 * tempAge},
		{name: "ab/tmp-new", age: 0},
		{name: "ab/notes.txt", age: 2 * tempAge},
		{name: "notes.txt", age: 2 * tempAge},
	}
	for _, file := range files {
		path := filepath.Join(blocks, file.name)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-file.age)))
	}

	f := newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))

	var names []string
	for _, path := range f.files(t) {
		name, err := filepath.Rel(blocks, path)
		require.NoError(t, err)
		names = append(names, filepath.ToSlash(name))
	}
	require.Equal(t, []string{"ab/notes.txt", "ab/tmp-new", "notes.txt"}, names)
}

// If the cache cannot use its directory, reads come from the store.
func TestGetWithFailingDirectory(t *testing.T) {
	f := newFixture(t, Config{})
	text := content(3000)
	attrs := f.put(t, "a", text)
	f.readAll(t, attrs)
	require.NoError(t, f.cache.Close())

	for range 2 {
		got, requests := f.read(t, attrs, 500, 2000)
		require.Equal(t, text[500:2500], got)
		require.Equal(t, 1, requests.gets)
	}
}

// A second ReaderAt reads the same ranges from the disk, without a Get.
func TestReaderAtFromDisk(t *testing.T) {
	f := newFixture(t, Config{TrustFor: time.Minute})
	text := content(50 * blockBytes)
	f.put(t, "a", text)

	for run, wantGets := range []int{1, 0} {
		getsBefore := f.store.Count(faults.Get)
		r, err := storage.NewReaderAt(t.Context(), f, "a", storage.WithBlockSize(blockBytes))
		require.NoError(t, err)

		// Read ten short ranges of block 20.
		const length = 64
		buf := make([]byte, length)
		for i := range int64(10) {
			offset := 20*blockBytes + i*length
			_, err := r.ReadAt(buf, offset)
			require.NoError(t, err)
			require.Equal(t, text[offset:offset+length], string(buf))
		}

		require.NoError(t, r.Close())
		require.Equal(t, wantGets, f.store.Count(faults.Get)-getsBefore, "run %d", run)
	}
	require.Equal(t, 2, f.store.Count(faults.Head), "one for each ReaderAt")
}

// The engine may call Describe again during a read. The race detector would find an unlocked access.
func TestDescribeDuringReads(t *testing.T) {
	// Two stores share a cache. One of them has the object "a", and the other one, emptyStore, is
	// read.
	f := newFixture(t, Config{})
	attrs := f.put(t, "a", content(1000))
	emptyStore := f.cache.Layer()(memstore.NewDriver(memstore.Config{}))
	_ = emptyStore.Describe() // the engine calls it before any other method

	var describing sync.WaitGroup
	describing.Go(func() {
		_ = emptyStore.Describe()
	})
	_, _, err := emptyStore.Get(t.Context(), &driver.GetRequest{
		Key:       "a",
		Length:    -1,
		Condition: storage.Condition{Revision: attrs.Revision},
	})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	describing.Wait()
}

// A read whose connection breaks off resumes where it was.
func TestGetResumesAfterDrop(t *testing.T) {
	f := newFixture(t, Config{})
	text := content(10_000)
	attrs := f.put(t, "a", text)
	const cutAfter = 2500
	f.store.Set(faults.Cut(faults.Get, cutAfter).Nth(1))

	got, requests := f.read(t, attrs, 100, 9000)
	require.Equal(t, text[100:9100], got)
	require.Equal(t, 2, requests.gets)
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

// Reads may run at the same time as calls of Describe. The race detector would find an unlocked access.
func TestDescribeConcurrently(t *testing.T) {
	f := newFixture(t, Config{})
	attrs := f.put(t, "a", content(3000))

	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			// This error has a hint. To find the hint, the bucket calls Describe.
			_, err := f.Attrs(t.Context(), "a", storage.WithVersion("1"))
			if storage.CodeOf(err) != storage.Unsupported {
				t.Error(err)
			}
			_, _, err = storage.ReadAll(t.Context(), f, "a", storage.IfRevision(attrs.Revision))
			if err != nil {
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

// TrustFor lets no bucket with other credentials read cached blocks without a request to the store.
func TestTrustForOtherCredentials(t *testing.T) {
	store := memstore.NewDriver(memstore.Config{})
	f := newFixtureIn(t, filepath.Join(t.TempDir(), "cache"), Config{TrustFor: time.Hour}, store)
	attrs := f.put(t, "a", content(3000))
	f.readAll(t, attrs)
	forbidden := engine.New(forbidding{store}, driver.WithLayer(f.cache.Layer()))

	_, _, err := storage.ReadAll(t.Context(), forbidden, "a", storage.IfRevision(attrs.Revision))
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.NoError(t, storage.Close(forbidden))
}

// MaxBytes also counts blocks that are still being written, which no scan of the directory finds yet.
func TestMaxBytesCountsBlocksBeingWritten(t *testing.T) {
	const maxBlocks = 4
	f := newFixture(t, Config{MaxBytes: maxBlocks * blockBytes})
	for i := range 10 {
		require.Equal(t, i < maxBlocks, f.cache.makeRoom(blockBytes), "block %d", i)
	}

	f.cache.endWrite(blockBytes, nil)
	require.True(t, f.cache.makeRoom(blockBytes), "one block is no longer being written")
}

// If the disk is full below MaxBytes, old blocks give way to new ones. Otherwise the cache would
// keep its first blocks forever.
func TestMaxBytesOnFullDisk(t *testing.T) {
	// The cache has 32 blocks of an object.
	const blocks = 32
	f := newFixture(t, Config{})
	attrs := f.put(t, "a", content(blocks*blockBytes))
	f.readAll(t, attrs)
	require.Len(t, f.files(t), blocks)
	now := time.Now()
	f.cache.now = func() time.Time { return now }

	// On a full disk, the cache removes a sixteenth of its blocks, rounded up, and one more for the
	// next write. These are three blocks here. For the time fullPause after that, it removes none.
	writes := []struct {
		name       string
		wait       time.Duration // before the write
		err        error         // of the write
		wantBlocks int           // that are left
	}{
		{name: "the disk is full", err: syscall.ENOSPC, wantBlocks: 29},
		{name: "full again soon", wait: fullPause / 2, err: syscall.ENOSPC, wantBlocks: 29},
		{name: "success", wait: fullPause, err: nil, wantBlocks: 29},
		{name: "the quota is exceeded", err: syscall.EDQUOT, wantBlocks: 26},
		{name: "another error", wait: fullPause, err: syscall.EIO, wantBlocks: 26},
	}
	for _, write := range writes {
		now = now.Add(write.wait)

		// A write ends with write.err. endWrite returns true if the cache counts as full. Then the
		// next write removes blocks.
		isFull := f.cache.endWrite(0, &fs.PathError{Err: write.err})
		require.Equal(t, write.wantBlocks < len(f.files(t)), isFull, write.name)

		// The next write succeeds. If the cache counts as full, makeRoom removes blocks for it.
		require.True(t, f.cache.makeRoom(blockBytes))
		f.cache.endWrite(blockBytes, nil)
		require.Len(t, f.files(t), write.wantBlocks, write.name)
	}
}

// If the bytes of a whole read do not match the object's checksum, the cache does not keep them.
func TestGetKeepsNoDamagedBlocks(t *testing.T) {
	f := newFixture(t, Config{})
	text := content(3500)
	attrs := f.put(t, "a", text)
	f.store.Set(faults.Corrupt(faults.Get, 1500).Nth(1))

	_, _, err := storage.ReadAll(t.Context(), f, "a", storage.IfRevision(attrs.Revision))
	require.Equal(t, storage.ChecksumMismatch, storage.CodeOf(err))

	got, _ := f.readAll(t, attrs)
	require.Equal(t, text, got)
	require.Len(t, f.files(t), 4, "all blocks of the second read")
}

//go:build unix

package transfer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// clockAhead sets the clock of a job a minute ahead. A job leaves files of the last two seconds out of its cache,
// and the test has just written its files.
func clockAhead() transfer.Option {
	return transfer.WithNow(func() time.Time { return time.Now().Add(time.Minute) })
}

// After an Upload with a cache, the next one requests no attributes of an object if nothing has
// changed. If the file, the object, the cache or the options have changed, it compares the file
// with the object again.
func TestWithCacheUpload(t *testing.T) {
	rewrite := func(t *testing.T, dir, text string) {
		writeFiles(t, dir, map[string]string{"a.txt": text})
	}
	tests := []struct {
		name            string
		change          func(t *testing.T, dir, cache string, b storage.Bucket) // between both uploads
		opts            []transfer.Option
		wantTransferred bool
		wantHeads       int // requests for attributes
	}{
		{name: "nothing changed"},
		{
			name: "an older file of the same size",
			change: func(t *testing.T, dir, _ string, _ storage.Bucket) {
				rewrite(t, dir, "after.")
			},
			wantHeads:       1,
			wantTransferred: false, // the metadata has the same time
		},
		{
			name: "an older file with another time",
			change: func(t *testing.T, dir, _ string, _ storage.Bucket) {
				rewrite(t, dir, "after.")
				require.NoError(t, os.Chtimes(filepath.Join(dir, "a.txt"), longAgo, longAgo.Add(-time.Hour)))
			},
			wantHeads:       1,
			wantTransferred: true,
		},
		{
			name: "the object was replaced",
			change: func(t *testing.T, _, _ string, b storage.Bucket) {
				_, err := b.Upload(t.Context(), "a.txt", file("other."))
				require.NoError(t, err)
			},
			wantHeads:       1,
			wantTransferred: true,
		},
		{
			name: "the object was removed",
			change: func(t *testing.T, _, _ string, b storage.Bucket) {
				require.NoError(t, b.Remove(t.Context(), "a.txt"))
			},
			wantTransferred: true,
		},
		{
			name: "the cache was removed",
			change: func(t *testing.T, _, cache string, _ storage.Bucket) {
				require.NoError(t, os.RemoveAll(cache))
			},
			wantHeads: 1,
		},
		{
			name: "the cache was cut",
			change: func(t *testing.T, _, cache string, _ storage.Bucket) {
				for _, path := range cacheFiles(t, cache) {
					require.NoError(t, os.Truncate(path, 20))
				}
			},
			wantHeads: 1,
		},
		{
			name: "the cache has other content",
			change: func(t *testing.T, _, cache string, _ storage.Bucket) {
				for _, path := range cacheFiles(t, cache) {
					require.NoError(t,
						os.WriteFile(path, []byte("omnibucket-same2 and more than before"), 0o600))
				}
			},
			wantHeads: 1,
		},
		{name: "checksums are compared", opts: []transfer.Option{transfer.WithChecksum()}, wantHeads: 1},
		{name: "other files are selected", opts: []transfer.Option{transfer.WithInclude("*.txt")}, wantHeads: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var recorder calls
			b := memstore.New(recorder.layer())
			dir := newTree(t, map[string]string{"a.txt": "before"})
			cache := t.TempDir()
			_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
			require.NoError(t, err)

			if tt.change != nil {
				tt.change(t, dir, cache, b)
			}
			headsBefore := recorder.count("Head")
			opts := append(tt.opts, transfer.WithCache(cache), clockAhead())
			report, err := transfer.Upload(t.Context(), b, dir, opts...)
			require.NoError(t, err)

			require.Equal(t, tt.wantTransferred, report.Transferred == 1, report)
			require.Equal(t, tt.wantHeads, recorder.count("Head")-headsBefore)
		})
	}
}

// cacheFiles returns the paths of the files of a cache, of which there is at least one.
func cacheFiles(t *testing.T, cache string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cache, "*.same"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// With a cache, the first Download that finds the files already there requests the attributes of
// the objects. Later ones request them only after an object has changed.
func TestWithCacheDownload(t *testing.T) {
	var recorder calls
	b := memstore.New(recorder.layer())
	_, err := transfer.Upload(t.Context(), b, newTree(t, map[string]string{"a": "1", "b/c": "2", "b/d": "3"}))
	require.NoError(t, err)
	dir := t.TempDir()
	cache := t.TempDir()

	wantHeads := []int{
		0, // the first job downloads all files
		3, // the second one compares them
		0, 0, 0,
	}
	for i, want := range wantHeads {
		headsBefore := recorder.count("Head")
		_, err := transfer.Download(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
		require.NoError(t, err)
		require.Equal(t, want, recorder.count("Head")-headsBefore, "job %d", i)
	}

	// An object that has changed is downloaded.
	put(t, b, "b/c", "9")
	report, err := transfer.Download(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Transferred)
	data, err := os.ReadFile(filepath.Join(dir, "b/c"))
	require.NoError(t, err)
	require.Equal(t, "9", string(data))
}

// With a cache, Copy remembers the objects that are the same at both ends. If the attributes of a
// source object have changed, it compares and copies that object again.
func TestWithCacheCopy(t *testing.T) {
	var recorder calls
	src := memstore.New()
	dst := memstore.New(recorder.layer())
	put(t, src, "a", "text")
	put(t, src, "b", "text")
	cache := t.TempDir()

	copyAll := func() (transferred int64, heads int) {
		t.Helper()
		headsBefore := recorder.count("Head")
		report, err := transfer.Copy(t.Context(), dst, src, transfer.WithCache(cache), clockAhead())
		require.NoError(t, err)
		return report.Transferred, recorder.count("Head") - headsBefore
	}

	// The first job copies both objects. The second one compares them, and requests the attributes
	// of each copy for that.
	transferred, heads := copyAll()
	require.Equal(t, int64(2), transferred)
	require.Zero(t, heads)

	transferred, heads = copyAll()
	require.Zero(t, transferred)
	require.Equal(t, 2, heads, "the second job compares both objects")

	// The third job knows from the cache that the objects and their copies are the same.
	transferred, heads = copyAll()
	require.Zero(t, transferred)
	require.Zero(t, heads, "the cache has both objects")

	// The object "a" gets other attributes, and keeps its bytes.
	_, err := src.Upload(t.Context(), "a", file("text"), storage.WithMetadata(map[string]string{"tag": "new"}))
	require.NoError(t, err)
	transferred, heads = copyAll()
	require.Equal(t, int64(1), transferred)
	require.Equal(t, 1, heads)
	attrs, err := dst.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "new", attrs.Metadata["tag"])
}

// WithCache notes which objects equal their files, so that later jobs need not compare them. If an object is replaced
// while a job compares it, the job does not note the version that it has listed. A later job therefore compares the
// listed version if it comes back.
func TestWithCacheReplacedDuringComparison(t *testing.T) {
	// The hook calls replace once, before the job reads the attributes of the object.
	var replace func()
	hook := func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if f := replace; op.Name == "Attrs" && f != nil {
			replace = nil
			f()
		}
		return nil, nil, nil
	}
	b := engine.New(memstore.NewDriver(memstore.Config{Versioned: true}), storage.WithHook(hook))
	put(t, b, "a.txt", "listed")

	// The directory has the content of the second version. The metadata of that version has the
	// time of the file.
	dir := newTree(t, map[string]string{"a.txt": "second"})
	mtime := fmt.Sprintf("%d.%09d", longAgo.Unix(), longAgo.Nanosecond()) // as Upload stores that of the file
	var second *storage.Attrs
	replace = func() {
		var err error
		second, err = b.Upload(t.Context(), "a.txt", file("second"),
			storage.WithMetadata(map[string]string{"mtime": mtime}))
		require.NoError(t, err)
	}

	cache := t.TempDir()
	opts := []transfer.Option{transfer.WithCache(cache), transfer.WithConcurrency(1), clockAhead()}

	// The first job compares the file with the second version.
	report, err := transfer.Download(t.Context(), b, dir, opts...)
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Skipped)
	require.NotNil(t, second)

	// The next job sees the listed version again, and downloads it.
	require.NoError(t, b.Remove(t.Context(), "a.txt", storage.WithVersion(second.Version)))
	_, err = transfer.Download(t.Context(), b, dir, opts...)
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(dir, "a.txt"))
	require.NoError(t, err)
	require.Equal(t, "listed", string(data))
}

// A copy with WithRule does not compare metadata. It leaves the comparison to a later copy without WithRule.
func TestWithCacheRule(t *testing.T) {
	oldTag := storage.WithMetadata(map[string]string{"tag": "old"})
	newTag := storage.WithMetadata(map[string]string{"tag": "new"})
	src := memstore.New()
	dst := memstore.New()
	_, err := dst.Upload(t.Context(), "a", file("text"), oldTag)
	require.NoError(t, err)
	_, err = src.Upload(t.Context(), "a", file("text"), newTag)
	require.NoError(t, err)
	cache := t.TempDir()
	rule := transfer.WithRule(func(string) []storage.WriteOption { return nil })

	// The bytes are equal, so the copy with WithRule skips the object. The cache must not say that all is equal.
	report, err := transfer.Copy(t.Context(), dst, src, transfer.WithCache(cache), rule, clockAhead())
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Skipped)

	// The copy without WithRule sees the other metadata.
	report, err = transfer.Copy(t.Context(), dst, src, transfer.WithCache(cache), clockAhead())
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Transferred)
}

// The cache does not remember a file that was just written, because a later write may give it the
// same time.
func TestWithCacheFileJustWritten(t *testing.T) {
	var recorder calls
	b := memstore.New(recorder.layer())
	dir := newTree(t, map[string]string{"a.txt": "before"})
	cache := t.TempDir()

	for range 2 {
		_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache))
		require.NoError(t, err)
	}
	require.Equal(t, 1, recorder.count("Head"), "the second job compares the file")
}

// The cache does not remember a file that was written shortly before the job began. A later write
// may give the file the same time, after the job has read it.
func TestWithCacheFileWrittenDuringJob(t *testing.T) {
	// The clock of the first job is right when the job begins, and a minute ahead from its first operation on. At the
	// end of the job, the file would therefore seem old enough for the cache.
	var ahead atomic.Int64 // ns
	clock := transfer.WithNow(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	moveClock := storage.WithHook(
		func(context.Context, storage.Operation) (context.Context, func(storage.Outcome), error) {
			ahead.Store(int64(time.Minute))
			return nil, nil, nil
		},
	)
	var recorder calls
	b := memstore.New(recorder.layer(), moveClock)
	dir := newTree(t, map[string]string{"a.txt": "before"})
	cache := t.TempDir()

	_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clock, transfer.WithConcurrency(1))
	require.NoError(t, err)

	// The second job does not find the file in the cache.
	_, err = transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
	require.NoError(t, err)
	require.Equal(t, 1, recorder.count("Head"), "the second job compares the file")
}

// A job that is canceled, or selects only some of the files, keeps the other files of earlier jobs in
// the cache.
func TestWithCacheJobEndsEarly(t *testing.T) {
	var recorder calls
	b := memstore.New(recorder.layer())
	dir := newTree(t, map[string]string{"a": "1", "b": "2"})
	cache := t.TempDir()
	_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
	require.NoError(t, err)

	// One job is canceled, and another one selects only "a".
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = transfer.Upload(ctx, b, dir, transfer.WithCache(cache), clockAhead())
	require.Error(t, err)
	onlyA := transfer.WithKeys(func(key string) bool { return key == "a" })
	_, err = transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clockAhead(), onlyA)
	require.NoError(t, err)

	// A later job still finds both files in the cache.
	_, err = transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
	require.NoError(t, err)
	require.Zero(t, recorder.count("Head"))
}

// A dry run does not create or write the cache.
func TestWithCacheDryRun(t *testing.T) {
	b := memstore.New()
	dir := newTree(t, map[string]string{"a.txt": "before"})
	cache := filepath.Join(t.TempDir(), "new")

	_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), transfer.WithDryRun())
	require.NoError(t, err)
	require.NoDirExists(t, cache)
}

// Upload skips a cache directory that is below its source directory.
func TestWithCacheBelowAnEnd(t *testing.T) {
	b := memstore.New()
	dir := newTree(t, map[string]string{"a.txt": "text"})
	cache := filepath.Join(dir, "cache")

	// The first job creates the directory, and the second one finds it.
	for range 2 {
		_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
		require.NoError(t, err)
	}
	require.Equal(t, map[string]string{"a.txt": "text"}, contents(t, b))
}

// WithCache refuses the source directory itself, and an empty path.
func TestWithCacheInvalidDirectory(t *testing.T) {
	b := memstore.New()
	dir := newTree(t, map[string]string{"a.txt": "text"})
	for name, cache := range map[string]string{"the source": dir, "no path": ""} {
		t.Run(name, func(t *testing.T) {
			_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// A job removes files of the cache that no job has used for a long time. It does not remove files
// of other programs.
func TestWithCacheRemovesOldFiles(t *testing.T) {
	const magic = "omnibucket-same1" // begins each file of a cache
	b := memstore.New()
	dir := newTree(t, map[string]string{"a.txt": "text"})

	// The first two are files of a cache, and old, because newTree gives all files an old time.
	cache := newTree(t, map[string]string{
		"0123.same":      magic,
		"0123.same.tmp":  magic,
		"other":          "",
		"notes.same.txt": "of the user",
	})

	_, err := transfer.Upload(t.Context(), b, dir, transfer.WithCache(cache), clockAhead())
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(cache, "0123.same"))
	require.NoFileExists(t, filepath.Join(cache, "0123.same.tmp"))
	require.FileExists(t, filepath.Join(cache, "other"))
	require.FileExists(t, filepath.Join(cache, "notes.same.txt"))
}

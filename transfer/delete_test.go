package transfer_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/removal"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// newFilledBucket returns a bucket with these objects. The content of each object is its key.
func newFilledBucket(t *testing.T, keys []string, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b := memstore.New(opts...)
	for _, key := range keys {
		_, err := b.Upload(t.Context(), key, file(key))
		require.NoError(t, err)
	}
	return b
}

// A program that saves a file may remove the file for a moment. If the file is in the source again
// before WithDelete removes its copy, the copy stays.
func TestWithDeleteFileIsBack(t *testing.T) {
	src := newTree(t, map[string]string{"new": "new"})
	injector := faults.New()
	b := newFilledBucket(t, []string{"gone", "saved"}, driver.WithLayer(injector.Layer()))

	// The file "saved" comes back when the job uploads "new".
	injector.Set(faults.Delay(faults.Put, 1))
	injector.SetSleep(func(context.Context, time.Duration) error {
		return os.WriteFile(filepath.Join(src, "saved"), []byte("later"), 0o600)
	})

	report, err := transfer.Upload(t.Context(), b, src, transfer.WithDelete())
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Deleted)
	require.ElementsMatch(t, []string{"new", "saved"}, keysOf(contents(t, b)))
}

// WithDelete removes the selected files that the destination has and the source lacks.
func TestWithDelete(t *testing.T) {
	// The source has only "keep".
	dstKeys := []string{"extra", "keep", "keep-not", "kept.tmp", "x/deep/er", "zz"}
	tests := []struct {
		name        string
		opts        []transfer.Option
		wantLeft    []string // of the keys of the destination
		wantDeleted int64
	}{
		{name: "nothing is removed without WithDelete", wantLeft: dstKeys},
		{
			name:        "removes files that the source lacks",
			opts:        []transfer.Option{transfer.WithDelete()},
			wantLeft:    []string{"keep"},
			wantDeleted: 5,
		},
		{
			name:        "keeps excluded files",
			opts:        []transfer.Option{transfer.WithDelete(), transfer.WithExclude("**/*.tmp", "x/**")},
			wantLeft:    []string{"keep", "kept.tmp", "x/deep/er"},
			wantDeleted: 3,
		},
		{
			name:        "keeps files that are not included",
			opts:        []transfer.Option{transfer.WithDelete(), transfer.WithInclude("k*")},
			wantLeft:    []string{"extra", "keep", "x/deep/er", "zz"},
			wantDeleted: 2,
		},
		{
			name:        "a dry run only counts",
			opts:        []transfer.Option{transfer.WithDelete(), transfer.WithDryRun()},
			wantLeft:    dstKeys,
			wantDeleted: 5,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name+", in a bucket", func(t *testing.T) {
			src := newTree(t, map[string]string{"keep": "keep"})
			dst := newFilledBucket(t, dstKeys)

			report, err := transfer.Upload(t.Context(), dst, src, tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.wantDeleted, report.Deleted)
			require.ElementsMatch(t, tt.wantLeft, keysOf(contents(t, dst)))
		})

		t.Run(tt.name+", in a directory", func(t *testing.T) {
			src := newFilledBucket(t, []string{"keep"})
			dst := newFilledDir(t, dstKeys)

			report, err := transfer.Download(t.Context(), src, dst, tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.wantDeleted, report.Deleted)
			require.ElementsMatch(t, tt.wantLeft, keysOf(fingerprints(t, dst)))
		})
	}
}

// WithDelete removes directories that the job has emptied, but not those that were empty before.
func TestWithDeleteRemovesEmptyDirectories(t *testing.T) {
	dir := newTree(t, map[string]string{"a/b/c/gone": "", "a/stays": "x"})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "was empty"), 0o755))
	b := memstore.New()
	put(t, b, "a/stays", "x")

	_, err := transfer.Download(t.Context(), b, dir, transfer.WithDelete())
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(dir, "a/b"))
	require.FileExists(t, filepath.Join(dir, "a/stays"))
	require.DirExists(t, filepath.Join(dir, "was empty"))
}

// If the source is empty, WithDelete deletes nothing. A source looks empty if its prefix is
// misspelled, or if the volume of its directory is not mounted.
func TestWithDeleteEmptySource(t *testing.T) {
	emptyBucket := transfer.Bucket(memstore.New())
	bucketWithA := transfer.Bucket(newFilledBucket(t, []string{"a"}))
	misspelled := transfer.Bucket(storage.Prefixed(newFilledBucket(t, []string{"photos/a"}), "phtoos/"))
	onlyMarker := transfer.Bucket(newMarkerBucket(t))
	onlyInternalFiles := transfer.Dir(newTree(t, map[string]string{".omnibucket/format.json": "{}"}))
	dstKeys := []string{"keep", "x/deep/er"}

	refused := []struct {
		name string
		src  transfer.End
		opts []transfer.Option
	}{
		{name: "an empty bucket", src: emptyBucket},
		{name: "a misspelled prefix", src: misspelled},
		{name: "a directory with only the internal files of a bucket", src: onlyInternalFiles},
		{name: "a bucket with a folder marker", src: onlyMarker},
		{name: "no file is included", src: bucketWithA, opts: []transfer.Option{transfer.WithInclude("k*")}},
		{name: "all files are excluded", src: bucketWithA, opts: []transfer.Option{transfer.WithExclude("a")}},
		{name: "in a dry run", src: emptyBucket, opts: []transfer.Option{transfer.WithDryRun()}},
	}
	for _, tt := range refused {
		opts := append(tt.opts, transfer.WithDelete())

		t.Run(tt.name+", to a bucket", func(t *testing.T) {
			dst := newFilledBucket(t, dstKeys)
			report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), tt.src, opts...)
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.ErrorContains(t, err, "the source has no files")
			require.ErrorContains(t, err, "WithEmptySource")
			require.Zero(t, report.Deleted)
			require.ElementsMatch(t, dstKeys, keysOf(contents(t, dst)))
		})

		t.Run(tt.name+", to a directory", func(t *testing.T) {
			dst := newFilledDir(t, dstKeys)
			_, err := transfer.Sync(t.Context(), transfer.Dir(dst), tt.src, opts...)
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.ElementsMatch(t, dstKeys, keysOf(fingerprints(t, dst)))
		})
	}

	// The job succeeds if it would delete nothing, or if WithEmptySource says that the source may be empty.
	allowed := []struct {
		name     string
		src      transfer.End
		dstKeys  []string
		opts     []transfer.Option
		wantKeys []string // of the destination afterwards
	}{
		{name: "the destination is empty, too", src: emptyBucket},
		{
			name:     "the destination has only excluded files",
			src:      emptyBucket,
			dstKeys:  []string{"kept"},
			opts:     []transfer.Option{transfer.WithExclude("kept")},
			wantKeys: []string{"kept"},
		},
		{
			name:    "with WithEmptySource",
			src:     emptyBucket,
			dstKeys: dstKeys,
			opts:    []transfer.Option{transfer.WithEmptySource()},
		},
		{
			name:    "a directory, with WithEmptySource",
			src:     onlyInternalFiles,
			dstKeys: dstKeys,
			opts:    []transfer.Option{transfer.WithEmptySource()},
		},
	}
	for _, tt := range allowed {
		opts := append(tt.opts, transfer.WithDelete())

		t.Run(tt.name+", to a bucket", func(t *testing.T) {
			dst := newFilledBucket(t, tt.dstKeys)
			_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), tt.src, opts...)
			require.NoError(t, err)
			require.ElementsMatch(t, tt.wantKeys, keysOf(contents(t, dst)))
		})

		t.Run(tt.name+", to a directory", func(t *testing.T) {
			dst := newFilledDir(t, tt.dstKeys)
			_, err := transfer.Sync(t.Context(), transfer.Dir(dst), tt.src, opts...)
			require.NoError(t, err)
			require.ElementsMatch(t, tt.wantKeys, keysOf(fingerprints(t, dst)))
		})
	}
}

// newFilledDir returns a directory with these files. The content of each file is its key.
func newFilledDir(t *testing.T, keys []string) string {
	t.Helper()
	dir := t.TempDir()
	_, err := transfer.Download(t.Context(), newFilledBucket(t, keys), dir)
	require.NoError(t, err)
	return dir
}

// newSecondPageFails returns the options of a bucket whose listings have pages of two entries. With
// the returned injector, a test can make the second page fail.
func newSecondPageFails() (opts []storage.OpenOption, injector *faults.Injector) {
	injector = faults.New()
	return []storage.OpenOption{
		driver.WithLayer(injector.Layer()),
		driver.WithLayer(pagesOf(2)),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
	}, injector
}

// WithDelete removes nothing if the listing of the source fails.
func TestWithDeleteListingOfSourceFails(t *testing.T) {
	failing, injector := newSecondPageFails()
	src := newFilledBucket(t, []string{"b", "c", "m", "n", "o"}, failing...)
	dst := newFilledBucket(t, []string{"a", "b", "c", "z"})

	injector.Set(faults.Fail(faults.List).Nth(2))
	report, err := transfer.Copy(t.Context(), dst, src, transfer.WithDelete())
	require.ErrorIs(t, err, storage.Unavailable)
	require.Zero(t, report.Deleted)
	require.Subset(t, keysOf(contents(t, dst)), []string{"a", "b", "c", "z"})
}

// WithDelete removes nothing if the listing of the destination fails.
func TestWithDeleteListingOfDestinationFails(t *testing.T) {
	failing, injector := newSecondPageFails()
	src := newFilledBucket(t, []string{"b", "c", "y"})
	dst := newFilledBucket(t, []string{"a", "b", "c", "z"}, failing...)

	injector.Set(faults.Fail(faults.List).Nth(2))
	report, err := transfer.Copy(t.Context(), dst, src, transfer.WithDelete())
	require.ErrorIs(t, err, storage.Unavailable)
	require.Zero(t, report.Deleted)

	injector.Set()
	require.Subset(t, keysOf(contents(t, dst)), []string{"a", "b", "c", "z"})
}

// pagesOf returns a layer whose listings have pages of n entries.
func pagesOf(n int) driver.Layer {
	return func(d driver.Driver) driver.Driver { return &smallPages{d, n} }
}

type smallPages struct {
	driver.Driver
	n int
}

func (s *smallPages) Describe() driver.Description {
	d := s.Driver.Describe()
	d.MaxPage = s.n
	return d
}

// WithDelete removes nothing if the source lists keys out of order, because objects then seem to be
// missing.
func TestWithDeleteListingOutOfOrder(t *testing.T) {
	tests := []struct {
		name string
		keys []string // as the source lists them
	}{
		{name: "descending", keys: []string{"b", "a"}},
		{name: "one is late", keys: []string{"a", "c", "b"}},
		{name: "one comes twice", keys: []string{"a", "a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := newHostileSource(t, tt.keys...)
			dst := newFilledBucket(t, []string{"a", "b", "c", "z"})

			report, err := transfer.Copy(t.Context(), dst, src, transfer.WithDelete())
			require.ErrorContains(t, err, "not in the order of keys")
			require.Zero(t, report.Deleted)
			require.Len(t, contents(t, dst), 4)
		})
	}
}

// WithDelete removes nothing if a directory of the source cannot be listed.
func TestWithDeleteUnlistableDirectory(t *testing.T) {
	src := newTree(t, map[string]string{"a": "", "b/c": ""})
	// WithLinks cannot list this directory.
	require.NoError(t, os.Symlink(".", filepath.Join(src, "loop")))
	b := newFilledBucket(t, []string{"a", "b/c", "z"})

	report, err := transfer.Upload(t.Context(), b, src, transfer.WithLinks(), transfer.WithDelete())
	require.ErrorContains(t, err, "nothing was deleted")
	require.Zero(t, report.Deleted)
	require.Len(t, contents(t, b), 3)
}

// WithDelete counts the files that it cannot remove as failed.
func TestWithDeleteFailuresAreCounted(t *testing.T) {
	lockB := driver.WithLayer(func(d driver.Driver) driver.Driver {
		return lockingDriver{d, "b"}
	})
	b := newFilledBucket(t, []string{"a", "b", "c"}, lockB)

	report, err := transfer.Upload(t.Context(), b, t.TempDir(), transfer.WithDelete(), transfer.WithEmptySource())
	require.ErrorIs(t, err, storage.Locked)
	require.Equal(t, int64(1), report.Failed)
	require.Equal(t, "b", report.Failures[0].Key)
	require.Equal(t, int64(2), report.Deleted)
	require.Equal(t, int64(2), report.DeletedBytes)
}

// A lockingDriver refuses to remove one key, as a store does for an object under retention.
type lockingDriver struct {
	driver.Driver
	key string
}

// DeleteBatch removes all keys except the locked one.
func (l lockingDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range r {
		if r[i].Key == l.key {
			errs[i] = storage.Locked
			continue
		}
		errs[i] = l.Driver.Delete(ctx, &r[i])
	}
	return errs
}

// keysOf returns the keys of a map, in any order.
func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// A holdingCore does not remove the key "b".
type holdingCore struct {
	storage.Core
	err error
}

// Remove fails with err for the key "b".
func (h holdingCore) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	if key == "b" {
		return h.err
	}
	return h.Core.Remove(ctx, key, o)
}

func (h holdingCore) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, h, keys)
}

// WithDelete counts a file as failed if the bucket cannot remove it, and removes the others.
func TestWithDeleteFailuresOfACore(t *testing.T) {
	tests := []struct {
		name     string
		err      error // of the removal of "b"
		wantCode storage.Code
	}{
		{
			name:     "an error of the key",
			err:      &storage.Error{Code: storage.Locked, Key: "b"},
			wantCode: storage.Locked,
		},
		{
			name:     "an error within another one",
			err:      fmt.Errorf("held: %w", &storage.Error{Code: storage.PermissionDenied, Key: "b"}),
			wantCode: storage.PermissionDenied,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The bucket cannot remove "b".
			dst := newFilledBucket(t, []string{"a", "b", "c"})
			holding := wrapped.Bucket(t, dst, func(c storage.Core) storage.Core { return holdingCore{c, tt.err} })
			src := newFilledBucket(t, []string{"keep"})

			report, err := transfer.Copy(t.Context(), holding, src, transfer.WithDelete())
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, int64(2), report.Deleted)
			require.Len(t, report.Failures, 1)
			require.Equal(t, "b", report.Failures[0].Key)
			require.Equal(t, tt.wantCode, storage.CodeOf(report.Failures[0].Err))
			require.ElementsMatch(t, []string{"b", "keep"}, keysOf(contents(t, dst)))
		})
	}
}

// A cancelingCore cancels a job at one of its removals.
type cancelingCore struct {
	storage.Core
	left   *atomic.Int64
	cancel context.CancelFunc
}

// Remove counts the removals, and cancels the job at one of them. It removes the object all the
// same.
func (s cancelingCore) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	if s.left.Add(-1) == 0 {
		s.cancel()
	}
	return s.Core.Remove(ctx, key, o)
}

func (s cancelingCore) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, s, keys)
}

// If a Remove is canceled, its report counts the objects that were removed until then. The bucket
// cancels the job at the removal with the number count.
func TestRemoveCanceled(t *testing.T) {
	const group = removal.Together // the number of removals that the job sends together
	// The job is canceled at a removal in the first group, at the last one of that group, or in the
	// second group.
	for _, count := range []int64{1, 255, group, group + 1, 2*group - 20} {
		t.Run(fmt.Sprintf("after %d removals", count), func(t *testing.T) {
			keys := numberedKeys(2 * group)
			b := newFilledBucket(t, keys)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			left := &atomic.Int64{}
			left.Store(count)
			canceling := wrapped.Bucket(t, b, func(c storage.Core) storage.Core {
				return cancelingCore{Core: c, left: left, cancel: cancel}
			})

			report, err := transfer.Remove(ctx, canceling)
			require.ErrorIs(t, err, storage.Canceled)
			require.Zero(t, report.Failed)
			removed := len(keys) - len(contents(t, b))
			require.EqualValues(t, removed, report.Deleted)
		})
	}
}

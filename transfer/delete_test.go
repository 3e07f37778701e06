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
	"github.com/omnibucket/storage/internal/removal"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// filled returns a bucket with these objects, whose content is their key.
func filled(t *testing.T, keys []string, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b := memstore.New(opts...)
	for _, key := range keys {
		_, err := b.Upload(t.Context(), key, file(key))
		require.NoError(t, err)
	}
	return b
}

// Before WithDelete removes a file, the job looks for it in the source again. A program that saves a file may
// remove it for a moment.
func TestWithDeleteFileIsBack(t *testing.T) {
	src := tree(t, map[string]string{"new": "new"})
	injector := faults.New()
	b := filled(t, []string{"gone", "saved"}, driver.WithLayer(injector.Layer()))
	injector.Set(faults.Delay(faults.Put, 1))
	injector.SetSleep(func(context.Context, time.Duration) error {
		return os.WriteFile(filepath.Join(src, "saved"), []byte("later"), 0o600)
	})
	report, err := transfer.Upload(t.Context(), b, src, transfer.WithDelete())
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Deleted)
	require.ElementsMatch(t, []string{"new", "saved"}, keysOf(contents(t, b)))
}

var spare = []string{"extra", "keep", "keep-not", "kept.tmp", "x/deep/er", "zz"}

func TestWithDelete(t *testing.T) {
	for _, row := range []struct {
		name    string
		opts    []transfer.Option
		left    []string
		deleted int64
	}{
		{"is not done without WithDelete", nil, spare, 0},
		{"removes files that the source lacks", []transfer.Option{transfer.WithDelete()}, []string{"keep"}, 5},
		{"keeps excluded files", []transfer.Option{transfer.WithDelete(), transfer.WithExclude("**/*.tmp", "x/**")}, []string{"keep", "kept.tmp", "x/deep/er"}, 3},
		{"keeps files that are not included", []transfer.Option{transfer.WithDelete(), transfer.WithInclude("k*")}, []string{"extra", "keep", "x/deep/er", "zz"}, 2},
		{"is not done in a dry run", []transfer.Option{transfer.WithDelete(), transfer.WithDryRun()}, spare, 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			src := tree(t, map[string]string{"keep": "keep"})
			b := filled(t, spare)
			report, err := transfer.Upload(t.Context(), b, src, row.opts...)
			require.NoError(t, err)
			require.Equal(t, row.deleted, report.Deleted)
			require.ElementsMatch(t, row.left, keysOf(contents(t, b)))

			dir := t.TempDir()
			_, err = transfer.Download(t.Context(), filled(t, spare), dir)
			require.NoError(t, err)
			report, err = transfer.Download(t.Context(), filled(t, []string{"keep"}), dir, row.opts...)
			require.NoError(t, err)
			require.Equal(t, row.deleted, report.Deleted)
			require.ElementsMatch(t, row.left, keysOf(fingerprints(t, dir)))
		})
	}
}

// WithDelete removes the directories that the job has emptied. A directory that was empty before stays.
func TestWithDeleteRemovesEmptyDirectories(t *testing.T) {
	dir := tree(t, map[string]string{"a/b/c/gone": "", "a/stays": "x"})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "was empty"), 0o755))
	b := memstore.New()
	_, err := b.Upload(t.Context(), "a/stays", file("x"))
	require.NoError(t, err)
	_, err = transfer.Download(t.Context(), b, dir, transfer.WithDelete())
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(dir, "a/b"))
	require.FileExists(t, filepath.Join(dir, "a/stays"))
	require.DirExists(t, filepath.Join(dir, "was empty"), "it was empty before the job")
}

// If the source is empty, WithDelete deletes nothing. A misspelled prefix or a directory whose volume is not
// mounted looks empty.
func TestWithDeleteEmptySource(t *testing.T) {
	bucket := func(keys ...string) func(t *testing.T) transfer.End {
		return func(t *testing.T) transfer.End {
			return transfer.Bucket(filled(t, keys))
		}
	}
	dir := func(t *testing.T) transfer.End {
		return transfer.Dir(tree(t, map[string]string{".omnibucket/format.json": "{}"}))
	}
	misspelled := func(t *testing.T) transfer.End {
		return transfer.Bucket(storage.Prefixed(filled(t, []string{"photos/a"}), "phtoos/"))
	}
	marker := func(t *testing.T) transfer.End { return transfer.Bucket(markersIn(t)) }
	none := []string{"keep", "x/deep/er"}
	for _, row := range []struct {
		name  string
		src   func(t *testing.T) transfer.End
		there []string
		opts  []transfer.Option
		left  []string
		want  error
	}{
		{"an empty bucket", bucket(), none, nil, none, storage.ObjectNotFound},
		{"a misspelled prefix", misspelled, none, nil, none, storage.ObjectNotFound},
		{"a directory with only the internal files of a bucket", dir, none, nil, none, storage.ObjectNotFound},
		{"a bucket with a folder marker", marker, none, nil, none, storage.ObjectNotFound},
		{"no file is included", bucket("a"), none, []transfer.Option{transfer.WithInclude("k*")}, none, storage.ObjectNotFound},
		{"all files are excluded", bucket("a"), none, []transfer.Option{transfer.WithExclude("a")}, none, storage.ObjectNotFound},
		{"in a dry run", bucket(), none, []transfer.Option{transfer.WithDryRun()}, none, storage.ObjectNotFound},
		{"the destination is empty, too", bucket(), nil, nil, nil, nil},
		{"the destination has only excluded files", bucket(), []string{"kept"}, []transfer.Option{transfer.WithExclude("kept")}, []string{"kept"}, nil},
		{"with WithEmptySource", bucket(), none, []transfer.Option{transfer.WithEmptySource()}, nil, nil},
		{"a directory, with WithEmptySource", dir, none, []transfer.Option{transfer.WithEmptySource()}, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := filled(t, row.there)
			report, err := transfer.Sync(t.Context(), transfer.Bucket(b), row.src(t), append(row.opts, transfer.WithDelete())...)
			require.ErrorIs(t, err, row.want)
			if row.want != nil {
				require.ErrorContains(t, err, "the source has no files")
				require.ErrorContains(t, err, "WithEmptySource")
				require.Zero(t, report.Deleted)
			}
			require.ElementsMatch(t, row.left, keysOf(contents(t, b)))

			down := t.TempDir()
			_, err = transfer.Download(t.Context(), filled(t, row.there), down)
			require.NoError(t, err)
			_, err = transfer.Sync(t.Context(), transfer.Dir(down), row.src(t), append(row.opts, transfer.WithDelete())...)
			require.ErrorIs(t, err, row.want)
			require.ElementsMatch(t, row.left, keysOf(fingerprints(t, down)))
		})
	}
}

// If a listing fails, WithDelete deletes nothing.
func TestWithDeleteListingFails(t *testing.T) {
	for _, row := range []struct {
		name string
		of   string
	}{{"of the source", "source"}, {"of the destination", "destination"}} {
		t.Run(row.name, func(t *testing.T) {
			// The second page fails permanently.
			inj := faults.New()
			failing := []storage.OpenOption{driver.WithLayer(inj.Layer()), driver.WithLayer(pagesOf(2)), storage.WithRetry(storage.RetryPolicy{Attempts: 1})}
			var src, dst storage.Bucket
			if row.of == "source" {
				src = filled(t, []string{"b", "c", "m", "n", "o"}, failing...)
				dst = filled(t, []string{"a", "b", "c", "z"})
			} else {
				src = filled(t, []string{"b", "c", "y"})
				dst = filled(t, []string{"a", "b", "c", "z"}, failing...)
			}
			inj.Set(faults.Fail(faults.List).Nth(2))
			before := contentsOf(t, dst, row.of == "destination", inj)
			inj.Set(faults.Fail(faults.List).Nth(2))
			report, err := transfer.Copy(t.Context(), dst, src, transfer.WithDelete())
			require.ErrorIs(t, err, storage.Unavailable)
			require.Zero(t, report.Deleted)
			inj.Set()
			after := contents(t, dst)
			for key := range before {
				require.Contains(t, after, key)
			}
		})
	}
}

// contentsOf returns contents without the faults, which it removes.
func contentsOf(t *testing.T, b storage.Bucket, faulty bool, inj *faults.Injector) map[string]string {
	t.Helper()
	if faulty {
		inj.Set()
	}
	return contents(t, b)
}

// pagesOf returns pages of n entries.
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

// If a store or a Core lists keys out of order, WithDelete deletes nothing, because objects seem to be missing.
func TestWithDeleteListingOutOfOrder(t *testing.T) {
	for _, keys := range [][]string{{"b", "a"}, {"a", "c", "b"}, {"a", "a"}} {
		dst := filled(t, []string{"a", "b", "c", "z"})
		report, err := transfer.Copy(t.Context(), dst, evilSource(t, keys...), transfer.WithDelete())
		require.ErrorContains(t, err, "not in the order of keys")
		require.Zero(t, report.Deleted)
		require.Len(t, contents(t, dst), 4)
	}
}

// If a source directory cannot be listed, WithDelete deletes nothing.
func TestWithDeleteUnlistableDirectory(t *testing.T) {
	src := tree(t, map[string]string{"a": "", "b/c": ""})
	require.NoError(t, os.Symlink(".", filepath.Join(src, "loop"))) // cannot be listed, with WithLinks
	b := filled(t, []string{"a", "b/c", "z"})
	report, err := transfer.Upload(t.Context(), b, src, transfer.WithLinks(), transfer.WithDelete())
	require.ErrorContains(t, err, "nothing was deleted")
	require.Zero(t, report.Deleted)
	require.Len(t, contents(t, b), 3)
}

// Failed deletions are counted.
func TestWithDeleteFailuresAreCounted(t *testing.T) {
	b := filled(t, []string{"a", "b", "c"}, driver.WithLayer(func(d driver.Driver) driver.Driver { return locking{d, "b"} }))
	report, err := transfer.Upload(t.Context(), b, t.TempDir(), transfer.WithDelete(), transfer.WithEmptySource())
	require.ErrorIs(t, err, storage.Locked)
	require.Equal(t, int64(1), report.Failed)
	require.Equal(t, "b", report.Failures[0].Key)
	require.Equal(t, int64(2), report.Deleted)
	require.Equal(t, int64(2), report.DeletedBytes)
}

// locking keeps one key locked.
type locking struct {
	driver.Driver
	key string
}

func (l locking) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range r {
		if r[i].Key == l.key {
			errs[i] = storage.Locked
		} else {
			errs[i] = l.Driver.Delete(ctx, &r[i])
		}
	}
	return errs
}

func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// A holding bucket does not remove one key.
type holding struct {
	storage.Core
	err error
}

func (h holding) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	if key == "b" {
		return h.err
	}
	return h.Core.Remove(ctx, key, o)
}

func (h holding) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, h, keys)
}

// Failed deletions of a Core are counted.
func TestWithDeleteFailuresOfACore(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		code storage.Code
	}{
		{"an error of the key", &storage.Error{Code: storage.Locked, Key: "b"}, storage.Locked},
		{"an error within another one", fmt.Errorf("held: %w", &storage.Error{Code: storage.PermissionDenied, Key: "b"}), storage.PermissionDenied},
	} {
		t.Run(row.name, func(t *testing.T) {
			dst := filled(t, []string{"a", "b", "c"})
			report, err := transfer.Copy(t.Context(), wrapped.Bucket(t, dst, func(c storage.Core) storage.Core { return holding{c, row.err} }), filled(t, []string{"keep"}), transfer.WithDelete())
			require.ErrorIs(t, err, row.err)
			require.Equal(t, int64(2), report.Deleted)
			require.Len(t, report.Failures, 1)
			require.Equal(t, "b", report.Failures[0].Key)
			require.Equal(t, row.code, storage.CodeOf(report.Failures[0].Err))
			require.ElementsMatch(t, []string{"b", "keep"}, keysOf(contents(t, dst)))
		})
	}
}

// A stopping bucket cancels a job at one of its removals.
type stopping struct {
	storage.Core
	left   *atomic.Int64
	cancel context.CancelFunc
}

func (s stopping) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	if s.left.Add(-1) == 0 {
		s.cancel()
	}
	return s.Core.Remove(ctx, key, o)
}

func (s stopping) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, s, keys)
}

// If ctx is canceled during Remove, the report still counts the objects that the job removed.
func TestRemoveCanceled(t *testing.T) {
	for _, after := range []int64{1, 255, removal.Together, removal.Together + 1, 2*removal.Together - 20} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			var keys []string
			for i := range 2 * removal.Together {
				keys = append(keys, fmt.Sprintf("k%03d", i))
			}
			b := filled(t, keys)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			left := &atomic.Int64{}
			left.Store(after)
			report, err := transfer.Remove(ctx, wrapped.Bucket(t, b, func(c storage.Core) storage.Core { return stopping{c, left, cancel} }))
			require.ErrorIs(t, err, storage.Canceled)
			require.Zero(t, report.Failed)
			require.EqualValues(t, len(keys)-len(contents(t, b)), report.Deleted)
		})
	}
}

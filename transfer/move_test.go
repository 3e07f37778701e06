package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

var moved = map[string]string{"a": "one", "b/c": "two", "b/d/e": "three"}

// newFilledEnd returns an end with these files, and a function that returns the keys of the end.
func newFilledEnd(t *testing.T, kind string, files map[string]string) (transfer.End, func() []string) {
	t.Helper()
	return newEndAhead(t, kind, 0, files)
}

// newEndAhead returns an end with these files, and a function that returns the keys of the end.
// kind is "directory" or "bucket". The files look as if a clock ahead of this machine's had set
// their times.
func newEndAhead(
	t *testing.T, kind string, ahead time.Duration, files map[string]string,
) (transfer.End, func() []string) {
	t.Helper()
	if kind == "directory" {
		dir := newTree(t, files)
		for name := range files {
			when := time.Now().Add(ahead)
			require.NoError(t, os.Chtimes(filepath.Join(dir, name), when, when))
		}
		return transfer.Dir(dir), func() []string { return keysOf(fingerprints(t, dir)) }
	}
	b := engine.New(aheadBy(ahead))
	for key, text := range files {
		_, err := b.Upload(t.Context(), key, file(text))
		require.NoError(t, err)
	}
	return transfer.Bucket(b), func() []string { return keysOf(contents(t, b)) }
}

// A move removes a file from the source once the destination has it.
func TestMove(t *testing.T) {
	for _, srcKind := range []string{"directory", "bucket"} {
		for _, dstKind := range []string{"directory", "bucket"} {
			t.Run(srcKind+" to "+dstKind, func(t *testing.T) {
				// The source has the files a, b/c and b/d/e. The destination has an equal file a
				// and a different file b/c. Both have later times than at the source.
				src, remaining := newFilledEnd(t, srcKind, moved)
				dst, dstKeys := newEndAhead(t, dstKind, 2*time.Hour, map[string]string{"a": "one", "b/c": "TWO"})

				_, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove(), transfer.WithDryRun())
				require.NoError(t, err)
				require.ElementsMatch(t, keysOf(moved), remaining(), "a dry run removes nothing")

				// The move skips a and replaces b/c. It excludes b/d/e, which stays at the source.
				report, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove(),
					transfer.WithExclude("e"))
				require.NoError(t, err)
				require.EqualValues(t, 1, report.Transferred)
				require.EqualValues(t, 1, report.Skipped)
				require.ElementsMatch(t, []string{"b/d/e"}, remaining())

				// A move of all files leaves none.
				_, err = transfer.Sync(t.Context(), dst, src, transfer.WithMove())
				require.NoError(t, err)
				require.Empty(t, remaining())
				require.ElementsMatch(t, keysOf(moved), dstKeys())
			})
		}
	}
}

// A move removes all hard links of a file, although the removal of one link changes the times of
// the others.
func TestMoveRemovesAllNamesOfAFile(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "one"})
	require.NoError(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	b := memstore.New()

	_, err := transfer.Sync(t.Context(), transfer.Bucket(b), transfer.Dir(dir), transfer.WithMove())
	require.NoError(t, err)
	require.Empty(t, fingerprints(t, dir))
	require.Equal(t, map[string]string{"a": "one", "b": "one"}, contents(t, b))
}

// A move removes the directories that it empties.
func TestMoveLeavesNoEmptyDirectories(t *testing.T) {
	dir := newTree(t, moved)

	_, err := transfer.Sync(t.Context(), transfer.Bucket(memstore.New()), transfer.Dir(dir), transfer.WithMove())
	require.NoError(t, err)

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// A move leaves each file at the source or the destination, whichever request fails, and even if the job is canceled.
func TestMoveNeverLosesAnObject(t *testing.T) {
	const requests = 12
	calls := []faults.Calls{faults.Get, faults.Put, faults.Copy, faults.Delete, faults.Head}
	for nth := 1; nth <= requests; nth++ {
		cancelsJob := nth%2 == 0
		for _, call := range calls {
			testMoveWithFault(t, faults.Fail(call).Nth(nth), cancelsJob)
			testMoveWithFault(t, faults.DropResponse(call).Nth(nth), cancelsJob)
		}
	}
}

// testMoveWithFault moves files to a bucket with a fault, and checks that no file is lost. If
// cancelsJob is true, the job is canceled after it has moved a file.
func testMoveWithFault(t *testing.T, fault faults.Rule, cancelsJob bool) {
	t.Helper()
	src := memstore.New()
	for key, text := range moved {
		put(t, src, key, text)
	}
	injector := faults.New(fault)
	noRetries := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	dst := memstore.New(driver.WithLayer(injector.Layer()), noRetries)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	onChange := transfer.WithChanges(func(transfer.Change) {
		if cancelsJob {
			cancel()
		}
	})
	_, _ = transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove(),
		transfer.WithConcurrency(1), onChange)

	injector.Set()
	for key, text := range moved {
		isKept := hasText(t, dst, key, text) || hasText(t, src, key, text)
		require.True(t, isKept, "%s is lost", key)
	}
}

// hasText reports whether b has an object with this text.
func hasText(t *testing.T, b storage.Bucket, key, text string) bool {
	t.Helper()
	got, _, err := storage.ReadAll(t.Context(), b, key)
	return err == nil && string(got) == text
}

// newBucketWithPutHook returns a bucket that calls afterPut after each Put.
func newBucketWithPutHook(afterPut func()) storage.Bucket {
	callAfterPut := func(ctx context.Context, call string, next func(context.Context) error) error {
		err := next(ctx)
		if call == "Put" {
			afterPut()
		}
		return err
	}
	return memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, callAfterPut)
	}))
}

// While a move runs, a program writes a file at the source. The move keeps this file.
func TestMoveKeepsAFileThatChanges(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "one"})
	dst := newBucketWithPutHook(func() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("newer"), 0o644))
	})

	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Dir(dir), transfer.WithMove())
	require.Error(t, err)
	require.EqualValues(t, 1, report.Transferred)
	require.EqualValues(t, 1, report.Failed)

	data, err := os.ReadFile(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.Equal(t, "newer", string(data))
}

// While a move runs, a program writes an object at the source. The move keeps this object.
func TestMoveKeepsAnObjectThatChanges(t *testing.T) {
	src := memstore.New()
	put(t, src, "a", "one")
	dst := newBucketWithPutHook(func() { put(t, src, "a", "newer") })

	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove())
	require.ErrorIs(t, err, storage.Changed)
	require.Equal(t, map[string]string{"a": "newer"}, contents(t, src))
}

// If a move has copied a file but cannot remove it, the file counts as transferred and as failed.
// The next job removes it, because the journal does not count it as done.
func TestMoveRemovalFails(t *testing.T) {
	injector := faults.New(faults.Fail(faults.Delete).WithError(storage.PermissionDenied))
	src := memstore.New(driver.WithLayer(injector.Layer()))
	dst := memstore.New()
	put(t, src, "a", "one")
	opts := []transfer.Option{transfer.WithMove(), transfer.WithJournal(memstore.New(), "journal")}

	// The first job copies the object, and fails to remove it.
	var actions []transfer.Action
	changes := transfer.WithChanges(func(c transfer.Change) {
		actions = append(actions, c.Action)
	})
	var last transfer.Progress
	progress := transfer.WithProgress(func(p transfer.Progress) {
		last = p
	})
	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
		append(opts, changes, progress)...)
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.EqualValues(t, 1, report.Transferred)
	require.EqualValues(t, 1, report.Failed)
	require.Equal(t, []transfer.Action{transfer.Transferred, transfer.Failed}, actions)
	require.EqualValues(t, 1, last.Files)
	require.EqualValues(t, 1, last.TotalFiles)

	// The next job removes the file that is left.
	injector.Set()
	_, err = transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
	require.NoError(t, err)
	require.Empty(t, contents(t, src))
}

// A move refuses options, sources and destinations with which it could lose files.
func TestMoveRefuses(t *testing.T) {
	src := memstore.New()
	dst := memstore.New()

	combinations := []struct {
		name string
		opts []transfer.Option
	}{
		{name: "WithDelete", opts: []transfer.Option{transfer.WithMove(), transfer.WithDelete()}},
		{name: "WithSizeOnly", opts: []transfer.Option{transfer.WithMove(), transfer.WithSizeOnly()}},
		{name: "two comparisons", opts: []transfer.Option{transfer.WithChecksum(), transfer.WithSizeOnly()}},
	}
	for _, tt := range combinations {
		t.Run(tt.name, func(t *testing.T) {
			_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), tt.opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}

	t.Run("a source from which it cannot remove", func(t *testing.T) {
		readOnly := storage.Ref[transfer.Source](src)
		_, err := transfer.Download(t.Context(), readOnly, t.TempDir(), transfer.WithMove())
		require.ErrorIs(t, err, storage.InvalidArgument)
	})

	t.Run("a destination that is the source", func(t *testing.T) {
		_, err := transfer.Sync(t.Context(), transfer.Bucket(src), transfer.Bucket(src), transfer.WithMove())
		require.ErrorIs(t, err, storage.InvalidArgument)
	})

	t.Run("WithLinks, because a link may be another name of an excluded file", func(t *testing.T) {
		dir := newTree(t, map[string]string{"excluded/file": "text"})
		require.NoError(t, os.Symlink("excluded", filepath.Join(dir, "alias")))

		_, err := transfer.Upload(t.Context(), dst, dir, transfer.WithMove(), transfer.WithLinks(),
			transfer.WithExclude("excluded"))
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.FileExists(t, filepath.Join(dir, "excluded", "file"))
	})
}

// A oneMoment store reports the same time for all of its objects. It also reports an ETag that
// depends only on the content.
type oneMoment struct{ driver.Driver }

// List returns entries that all have the same ETag and time.
func (d oneMoment) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		page.Entries[i].ETag = "content"
		page.Entries[i].Modified = time.Unix(1_800_000_000, 0)
	}
	return page, nil
}

// A move removes a source that a killed move has already copied, even if both objects have the same
// time.
func TestMoveContinuesAfterACopy(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return oneMoment{d} }))
	put(t, b, "from/a", "text")
	put(t, b, "to/a", "text")
	src := transfer.Bucket(storage.Prefixed(b, "from/"))
	dst := transfer.Bucket(storage.Prefixed(b, "to/"))

	_, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"to/a": "text"}, contents(t, b))
}

// A move refuses two addresses of one bucket, even if a comparison of the addresses does not show
// that. It removes nothing.
func TestMoveToAnotherAddressOfTheSameBucketRemovesNothing(t *testing.T) {
	src := newBucketOf(t, moved)

	_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, src)), transfer.Bucket(src),
		transfer.WithMove())
	require.ErrorContains(t, err, "what is stored in the one appears in the other")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, moved, contents(t, src))
}

// A move accepts a destination with copies of the source's files, although the addresses of the
// source and the destination cannot be compared.
func TestMoveToABucketWithCopies(t *testing.T) {
	src := newBucketOf(t, moved)
	dst := memstore.New()
	_, err := transfer.Copy(t.Context(), dst, src)
	require.NoError(t, err)

	_, err = transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)), transfer.Bucket(src),
		transfer.WithMove())
	require.NoError(t, err)
	require.Empty(t, contents(t, src))
}

// A move within a bucket makes one Move call for each object. With WithRule, it copies and then
// removes.
func TestMoveWithinABucketIsOneStep(t *testing.T) {
	noOptions := func(string) []storage.WriteOption { return nil }
	tests := []struct {
		name      string
		opts      []transfer.Option
		wantCalls []string // sorted
	}{
		{name: "without a rule", wantCalls: []string{"Move", "Move", "Move"}},
		{
			name:      "with a rule",
			opts:      []transfer.Option{transfer.WithRule(noOptions)},
			wantCalls: []string{"Copy", "Copy", "Copy", "Delete", "Delete", "Delete"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The layer of the store records the calls of the move that write or remove objects.
			var mu sync.Mutex
			var calls []string
			record := func(ctx context.Context, call string, next func(context.Context) error) error {
				if call == "Move" || call == "Copy" || call == "Delete" {
					mu.Lock()
					calls = append(calls, call)
					mu.Unlock()
				}
				return next(ctx)
			}
			b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return driver.Intercept(d, record)
			}))

			// The folders from/ and to/ are the ends of the move.
			src := storage.Prefixed(b, "from/")
			dst := storage.Prefixed(b, "to/")
			for key, text := range moved {
				put(t, src, key, text)
			}
			put(t, dst, "a", "an older one")
			calls = nil

			report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
				append(tt.opts, transfer.WithMove())...)
			require.NoError(t, err)
			require.EqualValues(t, len(moved), report.Transferred)
			slices.Sort(calls)
			require.Equal(t, tt.wantCalls, calls)
			require.Equal(t, moved, contents(t, dst))
			require.Empty(t, contents(t, src))
		})
	}
}

// If the response to the move of a file is lost, the report counts the file as failed with
// OutcomeUnknown.
func TestMoveResponseLost(t *testing.T) {
	injector := faults.New(faults.DropResponse(faults.Move).Nth(1))
	b := memstore.New(driver.WithLayer(injector.Layer()))
	put(t, b, "from/a", "text")
	src := transfer.Bucket(storage.Prefixed(b, "from/"))
	dst := transfer.Bucket(storage.Prefixed(b, "to/"))

	report, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove())
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.EqualValues(t, 1, report.Failed)
	require.Equal(t, map[string]string{"to/a": "text"}, contents(t, b))
}

// Copy and Download accept WithMove if their source is a bucket from which they can remove.
func TestCopyAndDownloadWithMove(t *testing.T) {
	files := map[string]string{"k": "precious"}

	t.Run("Copy", func(t *testing.T) {
		src := newBucketOf(t, files)
		dst := memstore.New()
		_, err := transfer.Copy(t.Context(), dst, src, transfer.WithMove())
		require.NoError(t, err)
		require.Empty(t, contents(t, src))
		require.Equal(t, files, contents(t, dst))
	})

	t.Run("Download", func(t *testing.T) {
		src := newBucketOf(t, files)
		dir := t.TempDir()
		_, err := transfer.Download(t.Context(), src, dir, transfer.WithMove())
		require.NoError(t, err)
		require.Empty(t, contents(t, src))
		require.Equal(t, []string{"k"}, keysOf(fingerprints(t, dir)))
	})
}

// A move renames a source file before it removes the file. If a move was killed in between, the
// next job that writes to the directory restores the name of the file.
func TestMoveRecoversTheNameOfAFile(t *testing.T) {
	const temporaryName = ".omnibucket-removed-0123456789abcdef-k"
	tests := []struct {
		name string
		run  func(t *testing.T, dir string) error
		want []string // the names in the directory afterwards
	}{
		{
			name: "a job that only reads the directory",
			run: func(t *testing.T, dir string) error {
				_, err := transfer.Upload(t.Context(), memstore.New(), dir)
				return err
			},
			want: []string{temporaryName},
		},
		{
			name: "a job into the directory",
			run: func(t *testing.T, dir string) error {
				_, err := transfer.Download(t.Context(), memstore.New(), dir)
				return err
			},
			want: []string{"k"},
		},
		{
			name: "a move from the directory",
			run: func(t *testing.T, dir string) error {
				_, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithMove())
				return err
			},
			want: nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := newTree(t, map[string]string{"sub/" + temporaryName: "precious"})

			require.NoError(t, tt.run(t, dir))

			entries, err := os.ReadDir(filepath.Join(dir, "sub"))
			if tt.want == nil {
				require.ErrorIs(t, err, os.ErrNotExist, "the move has removed the directory, too")
			}
			var names []string
			for _, entry := range entries {
				names = append(names, entry.Name())
			}
			require.Equal(t, tt.want, names)
		})
	}
}

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

// newFilledEnd returns an end with these files, and a function that returns its keys.
func newFilledEnd(t *testing.T, kind string, files map[string]string) (transfer.End, func() []string) {
	t.Helper()
	return endAhead(t, kind, 0, files)
}

// endAhead returns an end with these files, and a function that returns its keys. kind is "directory" or "bucket". The
// files seem to be written by a clock that is ahead of that of this machine.
func endAhead(
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
				src, remaining := newFilledEnd(t, srcKind, moved)
				// The one is equal, the other has an equal size.
				dst, have := endAhead(t, dstKind, 2*time.Hour, map[string]string{"a": "one", "b/c": "TWO"})

				_, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove(), transfer.WithDryRun())
				require.NoError(t, err)
				require.ElementsMatch(t, keysOf(moved), remaining(), "a dry run removes nothing")

				report, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove(),
					transfer.WithExclude("e"))
				require.NoError(t, err)
				require.EqualValues(t, 1, report.Transferred)
				require.EqualValues(t, 1, report.Skipped)
				require.ElementsMatch(t, []string{"b/d/e"}, remaining())

				_, err = transfer.Sync(t.Context(), dst, src, transfer.WithMove())
				require.NoError(t, err)
				require.Empty(t, remaining())
				require.ElementsMatch(t, keysOf(moved), have())
			})
		}
	}
}

// If a file has several hard links, a move removes all of them, although removing one changes the times of the
// others.
func TestMoveRemovesAllNamesOfAFile(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "one"})
	b := memstore.New()
	require.NoError(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	_, err := transfer.Sync(t.Context(), transfer.Bucket(b), transfer.Dir(dir), transfer.WithMove())
	require.NoError(t, err)
	require.Empty(t, fingerprints(t, dir))
	require.Equal(t, map[string]string{"a": "one", "b": "one"}, contents(t, b))
}

// A move removes the directories that it empties.
func TestMoveLeavesNoEmptyDirectories(t *testing.T) {
	dir := newTree(t, moved)
	_, err := transfer.Sync(t.Context(), transfer.Bucket(memstore.New()), transfer.Dir(dir),
		transfer.WithMove())
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Whichever request fails, and even if the job is canceled, each file is at the source or the destination
// afterwards.
func TestMoveNeverLosesAnObject(t *testing.T) {
	const requests = 12
	for nth := 1; nth <= requests; nth++ {
		for _, call := range []faults.Calls{faults.Get, faults.Put, faults.Copy, faults.Delete, faults.Head} {
			for _, rule := range []faults.Rule{
				faults.Fail(call).Nth(nth),
				faults.DropResponse(call).Nth(nth),
			} {
				src := memstore.New()
				for key, text := range moved {
					put(t, src, key, text)
				}
				injector := faults.New(rule)
				dst := memstore.New(driver.WithLayer(injector.Layer()),
					storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

				// Each second job is canceled when it has moved a file.
				ctx, cancel := context.WithCancel(t.Context())
				cancelEachSecond := transfer.WithChanges(func(transfer.Change) {
					if nth%2 == 0 {
						cancel()
					}
				})
				_, _ = transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove(),
					transfer.WithConcurrency(1), cancelEachSecond)
				cancel()

				injector.Set()
				for key, text := range moved {
					require.True(t, hasText(t, dst, key, text) || hasText(t, src, key, text), key)
				}
			}
		}
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

// If a file of the source is written while it is moved, the move keeps it at the source.
func TestMoveKeepsAFileThatChanges(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "one"})
	dst := newBucketWithPutHook(func() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("newer"), 0o644))
	})

	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Dir(dir), transfer.WithMove())
	require.Error(t, err)
	require.EqualValues(t, 1, report.Transferred)
	require.EqualValues(t, 1, report.Failed)

	text, err := os.ReadFile(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.Equal(t, "newer", string(text))
}

// If an object of the source is written while it is moved, the move keeps it at the source.
func TestMoveKeepsAnObjectThatChanges(t *testing.T) {
	src := memstore.New()
	put(t, src, "a", "one")
	dst := newBucketWithPutHook(func() { put(t, src, "a", "newer") })

	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove())
	require.ErrorIs(t, err, storage.Changed)
	require.Equal(t, map[string]string{"a": "newer"}, contents(t, src))
}

// If a move has copied a file but cannot remove it, the report counts it as transferred and as failed. The next
// job removes it, because the journal does not count it as done.
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

	// The next job removes it.
	injector.Set()
	_, err = transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
	require.NoError(t, err)
	require.Empty(t, contents(t, src), "the journal has not noted it as done")
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

	t.Run("a source that is only read", func(t *testing.T) {
		readable := storage.Ref[transfer.Source](src)
		_, err := transfer.Download(t.Context(), readable, t.TempDir(), transfer.WithMove())
		require.ErrorIs(t, err, storage.InvalidArgument)
	})

	t.Run("onto itself", func(t *testing.T) {
		_, err := transfer.Sync(t.Context(), transfer.Bucket(src), transfer.Bucket(src), transfer.WithMove())
		require.ErrorIs(t, err, storage.InvalidArgument)
	})

	t.Run("links, which may be other names of excluded files", func(t *testing.T) {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"excluded/file": "text"})
		require.NoError(t, os.Symlink("excluded", filepath.Join(dir, "alias")))
		_, err := transfer.Upload(t.Context(), dst, dir, transfer.WithMove(), transfer.WithLinks(),
			transfer.WithExclude("excluded"))
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.FileExists(t, filepath.Join(dir, "excluded", "file"))
	})
}

// oneMoment is a store whose objects are all written in one moment, with the ETag of their content.
type oneMoment struct{ driver.Driver }

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

// If a move is killed after it copied an object, the next move removes the source, even if both objects have the
// same time.
func TestMoveContinuesAfterACopy(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return oneMoment{d} }))
	for _, key := range []string{"from/a", "to/a"} {
		_, err := b.Upload(t.Context(), key, file("text"))
		require.NoError(t, err)
	}
	_, err := transfer.Sync(t.Context(), transfer.Bucket(storage.Prefixed(b, "to/")),
		transfer.Bucket(storage.Prefixed(b, "from/")), transfer.WithMove())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"to/a": "text"}, contents(t, b))
}

// If source and destination are two addresses of one bucket, which no comparison of addresses shows, a move
// refuses and removes nothing.
func TestMoveToAnotherAddressOfTheSameBucketRemovesNothing(t *testing.T) {
	src := memstore.New()
	dst := memstore.New()
	for key, text := range moved {
		_, err := src.Upload(t.Context(), key, file(text))
		require.NoError(t, err)
	}
	_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, src)), transfer.Bucket(src),
		transfer.WithMove())
	require.ErrorContains(t, err, "what is stored in the one appears in the other")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ElementsMatch(t, keysOf(moved), keysOf(contents(t, src)))

	_, err = transfer.Copy(t.Context(), dst, src)
	require.NoError(t, err)
	_, err = transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)), transfer.Bucket(src),
		transfer.WithMove())
	require.NoError(t, err, "a copy is younger")
	require.Empty(t, keysOf(contents(t, src)))
}

// A move within a bucket makes one Move call for each object. With WithRule, it copies and then removes.
func TestMoveWithinABucketIsOneStep(t *testing.T) {
	noRule := func(string) []storage.WriteOption { return nil }
	tests := []struct {
		name  string
		opts  []transfer.Option
		calls []string // sorted
	}{
		{name: "as they are", calls: []string{"Move", "Move", "Move"}},
		{
			name:  "with a rule",
			opts:  []transfer.Option{transfer.WithRule(noRule)},
			calls: []string{"Copy", "Copy", "Copy", "Delete", "Delete", "Delete"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
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
			require.EqualValues(t, 3, report.Transferred)
			slices.Sort(calls)
			require.Equal(t, tt.calls, calls)
			require.Equal(t, moved, contents(t, dst))
			require.Empty(t, contents(t, src))
		})
	}
}

// If the response to a move is lost, the report counts the file as failed with OutcomeUnknown.
func TestMoveResponseLost(t *testing.T) {
	inj := faults.New(faults.DropResponse(faults.Move).Nth(1))
	b := memstore.New(driver.WithLayer(inj.Layer()))
	_, err := b.Upload(t.Context(), "from/a", file("text"))
	require.NoError(t, err)
	src := transfer.Bucket(storage.Prefixed(b, "from/"))
	dst := transfer.Bucket(storage.Prefixed(b, "to/"))

	report, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove())
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.EqualValues(t, 1, report.Failed)
	require.Equal(t, map[string]string{"to/a": "text"}, contents(t, b))
}

// Copy and Download accept WithMove if their Source is a bucket from which they can remove.
func TestCopyAndDownloadWithMove(t *testing.T) {
	src := memstore.New()
	dst := memstore.New()
	dir := t.TempDir()
	put(t, src, "k", "precious")
	_, err := transfer.Copy(t.Context(), dst, src, transfer.WithMove())
	require.NoError(t, err)

	require.Empty(t, contents(t, src))
	_, err = transfer.Download(t.Context(), dst, dir, transfer.WithMove())
	require.NoError(t, err)
	require.Empty(t, contents(t, dst))
	require.Equal(t, []string{"k"}, keysOf(fingerprints(t, dir)))
}

// A move gives a source file a temporary name before it removes the file. If the move was killed in between, a
// later job that writes to the directory restores the name.
func TestMoveRecoversTheNameOfAFile(t *testing.T) {
	aside := ".omnibucket-removed-0123456789abcdef-k"
	tests := []struct {
		name string
		run  func(dir string) error
		want []string
	}{
		{
			name: "a job that only reads the directory",
			run: func(dir string) error {
				_, err := transfer.Upload(t.Context(), memstore.New(), dir)
				return err
			},
			want: []string{aside},
		},
		{
			name: "a job into the directory",
			run: func(dir string) error {
				_, err := transfer.Download(t.Context(), memstore.New(), dir)
				return err
			},
			want: []string{"k"},
		},
		{
			name: "a move from the directory",
			run: func(dir string) error {
				_, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithMove())
				return err
			},
			want: nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := newTree(t, map[string]string{"sub/" + aside: "precious"})
			require.NoError(t, tt.run(dir))
			list, err := os.ReadDir(filepath.Join(dir, "sub"))
			var names []string
			for _, e := range list {
				names = append(names, e.Name())
			}
			require.Equal(t, tt.want, names)
			if tt.want == nil {
				require.ErrorIs(t, err, os.ErrNotExist)
			}
		})
	}
}

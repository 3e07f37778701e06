package transfer_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/transfer"
)

// readTexts returns the files of a directory with their content.
func readTexts(t *testing.T, dir string) map[string]string {
	t.Helper()
	b, err := local.Open(dir, local.Config{})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	return contents(t, b)
}

// A job removes no file if there are more to remove than WithMaxDelete permits.
func TestWithMaxDeleteRemovesNothingIfThereIsMoreToRemove(t *testing.T) {
	src := newTree(t, map[string]string{"a": "a"})
	dst := newTree(t, map[string]string{"b": "b", "c": "c"})
	syncWithMaxDelete := func(maxDelete int64, opts ...transfer.Option) error {
		opts = append(opts, transfer.WithDelete(), transfer.WithMaxDelete(maxDelete))
		_, err := transfer.Sync(t.Context(), transfer.Dir(dst), transfer.Dir(src), opts...)
		return err
	}

	// A dry run and a job refuse to remove two files.
	for _, opts := range [][]transfer.Option{{transfer.WithDryRun()}, nil} {
		err := syncWithMaxDelete(1, opts...)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.ErrorContains(t, err, "lacks 2 files, which is more than 1")
	}
	require.Equal(t, map[string]string{"a": "a", "b": "b", "c": "c"}, readTexts(t, dst))

	require.NoError(t, syncWithMaxDelete(2))
	require.Equal(t, map[string]string{"a": "a"}, readTexts(t, dst))
}

// WithMaxDelete refuses a negative number.
func TestWithMaxDeleteNegative(t *testing.T) {
	_, err := transfer.Sync(t.Context(), transfer.Dir(t.TempDir()), transfer.Dir(t.TempDir()),
		transfer.WithMaxDelete(-1))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// The function of WithBeforeDelete is called before the first removal, and can forbid all of them.
func TestWithBeforeDeleteIsCalledBeforeTheFirstRemoval(t *testing.T) {
	// The destination has the files a, b and c.
	tests := []struct {
		name       string
		source     map[string]string
		wantCalled bool  // whether the function is called
		refuse     error // what the function returns
		opts       []transfer.Option
		wantLeft   map[string]string // files of the destination afterwards
	}{
		{
			name:       "a removal",
			source:     map[string]string{"a": "a", "new": "n"},
			wantCalled: true,
			wantLeft:   map[string]string{"a": "a", "new": "n"},
		},
		{
			name:       "a refusal",
			source:     map[string]string{"a": "a", "new": "n"},
			wantCalled: true,
			refuse:     errRefused,
			wantLeft:   map[string]string{"a": "a", "b": "b", "c": "c", "new": "n"},
		},
		{
			name:       "a dry run",
			source:     map[string]string{"a": "a", "new": "n"},
			wantCalled: true,
			opts:       []transfer.Option{transfer.WithDryRun()},
			wantLeft:   map[string]string{"a": "a", "b": "b", "c": "c"},
		},
		{
			name:     "nothing to remove",
			source:   map[string]string{"a": "a", "b": "b", "c": "c"},
			wantLeft: map[string]string{"a": "a", "b": "b", "c": "c"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := t.TempDir()
			dst := t.TempDir()
			writeFiles(t, src, tt.source)
			writeFiles(t, dst, map[string]string{"a": "a", "b": "b", "c": "c"})
			calls := 0
			opt := transfer.WithBeforeDelete(func(files, compared int64) error {
				calls++
				require.EqualValues(t, 2, files)
				require.EqualValues(t, 3, compared, "what the job has copied does not count")
				for _, key := range []string{"b", "c"} {
					require.Contains(t, readTexts(t, dst), key)
				}
				return tt.refuse
			})

			_, err := transfer.Sync(t.Context(), transfer.Dir(dst), transfer.Dir(src),
				append(tt.opts, transfer.WithDelete(), opt)...)
			require.ErrorIs(t, err, tt.refuse)
			require.Equal(t, tt.wantCalled, calls == 1)
			require.Equal(t, tt.wantLeft, readTexts(t, dst))
		})
	}
	_, err := transfer.Sync(t.Context(), transfer.Dir(t.TempDir()), transfer.Dir(t.TempDir()),
		transfer.WithBeforeDelete(nil))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

var errRefused = errors.New("refused")

// A job does not replace a file that WithBackup cannot save.
func TestWithBackupFails(t *testing.T) {
	tests := []struct {
		name   string
		key    string // of the file that the job would replace
		backup string // a path in the backup, which is in the way of key
	}{
		{name: "the backup has a directory of its name", key: "a", backup: "a/b"},
		{name: "the backup has a file in its path", key: "a/b", backup: "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := newTree(t, map[string]string{tt.key: "newer"})
			dst := newTree(t, map[string]string{tt.key: "old"})
			backup := newTree(t, map[string]string{tt.backup: "older"})

			report, err := transfer.Sync(t.Context(), transfer.Dir(dst), transfer.Dir(src),
				transfer.WithBackup(transfer.Dir(backup)))
			require.ErrorContains(t, err, "WithBackup")
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.EqualValues(t, 1, report.Failed)
			require.Equal(t, map[string]string{tt.key: "old"}, readTexts(t, dst))
		})
	}
}

// newEnd returns an end with these files, and a function that returns its files later. The end is a bucket or a new
// directory.
func newEnd(t *testing.T, isBucket bool, files map[string]string) (transfer.End, func() map[string]string) {
	t.Helper()
	if !isBucket {
		dir := filepath.Join(t.TempDir(), "end")
		writeFiles(t, dir, files)
		return transfer.Dir(dir), func() map[string]string { return readTexts(t, dir) }
	}
	b := memstore.New()
	for key, text := range files {
		_, err := b.Upload(t.Context(), key, file(text))
		require.NoError(t, err)
	}
	return transfer.Bucket(b), func() map[string]string { return contents(t, b) }
}

// WithBackup keeps the files that a job replaces or removes. A dry run keeps nothing.
func TestWithBackupKeepsReplacedAndRemovedFiles(t *testing.T) {
	srcFiles := map[string]string{"same": "same", "changed": "newer", "new": "new"}
	dstFiles := map[string]string{"same": "same", "changed": "old", "dir/removed": "gone"}
	backupFiles := map[string]string{"changed": "older", "other": "x"}
	tests := []struct {
		name           string
		dstIsBucket    bool // in place of a directory; the source is always a directory
		backupIsBucket bool // in place of a directory
	}{
		{name: "a directory, backed up to a directory"},
		{name: "a directory, backed up to a bucket", backupIsBucket: true},
		{name: "a bucket, backed up to a directory", dstIsBucket: true},
		{name: "a bucket, backed up to a bucket", dstIsBucket: true, backupIsBucket: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := newTree(t, srcFiles)
			dst, readDst := newEnd(t, tt.dstIsBucket, dstFiles)
			backup, readBackup := newEnd(t, tt.backupIsBucket, backupFiles)
			opts := []transfer.Option{
				transfer.WithDelete(),
				transfer.WithBackup(backup),
				transfer.WithChecksum(),
			}

			_, err := transfer.Sync(t.Context(), dst, transfer.Dir(src), append(opts, transfer.WithDryRun())...)
			require.NoError(t, err)
			require.Equal(t, backupFiles, readBackup())

			// The old content of "changed" and the removed file are in the backup.
			_, err = transfer.Sync(t.Context(), dst, transfer.Dir(src), opts...)
			require.NoError(t, err)
			require.Equal(t, map[string]string{"changed": "old", "dir/removed": "gone", "other": "x"}, readBackup())
			require.Equal(t, srcFiles, readDst())
		})
	}
}

// Sync fails with InvalidArgument, and changes nothing, if one of its directories is below a file.
func TestWithBackupBelowAFile(t *testing.T) {
	src := newTree(t, map[string]string{"a": "newer"})
	dst := newTree(t, map[string]string{"a": "old"})
	belowAFile := filepath.Join(newTree(t, map[string]string{"file": "x"}), "file", "dir")
	tests := []struct {
		name     string
		dst, src string
		opts     []transfer.Option
	}{
		{name: "source", dst: dst, src: belowAFile},
		{name: "destination", dst: belowAFile, src: src},
		{
			name: "backup",
			dst:  dst,
			src:  src,
			opts: []transfer.Option{transfer.WithBackup(transfer.Dir(belowAFile))},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := transfer.Sync(t.Context(), transfer.Dir(tt.dst), transfer.Dir(tt.src), tt.opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Zero(t, report.Failed)
			require.Equal(t, map[string]string{"a": "old"}, readTexts(t, dst))
		})
	}
}

// Sync refuses a backup that is the source, or is inside the destination.
func TestWithBackupMustNotOverlap(t *testing.T) {
	src := t.TempDir()
	dst := t.TempDir()
	for name, backup := range map[string]string{
		"the source":             src,
		"inside the destination": filepath.Join(dst, "kept"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := transfer.Sync(t.Context(), transfer.Dir(dst), transfer.Dir(src),
				transfer.WithBackup(transfer.Dir(backup)))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "WithBackup must not overlap")
		})
	}
}

package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

var (
	monday  = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	tuesday = monday.AddDate(0, 0, 1)
)

// A filter selects an entry only if all of its options do.
func TestFilter(t *testing.T) {
	newEntry := func(key string, size int64, modified time.Time) storage.ListEntry {
		return storage.ListEntry{Key: key, Size: size, Modified: modified}
	}
	tests := []struct {
		name  string
		opts  []transfer.Option
		entry storage.ListEntry
		want  bool
	}{
		{name: "nothing is set", entry: newEntry("a", 0, time.Time{}), want: true},
		{
			name:  "the smallest size",
			opts:  []transfer.Option{transfer.WithMinSize(3)},
			entry: newEntry("a", 3, monday),
			want:  true,
		},
		{
			name:  "a smaller size",
			opts:  []transfer.Option{transfer.WithMinSize(3)},
			entry: newEntry("a", 2, monday),
			want:  false,
		},
		{
			name:  "the largest size",
			opts:  []transfer.Option{transfer.WithMaxSize(3)},
			entry: newEntry("a", 3, monday),
			want:  true,
		},
		{
			name:  "a larger size",
			opts:  []transfer.Option{transfer.WithMaxSize(3)},
			entry: newEntry("a", 4, monday),
			want:  false,
		},
		{
			name:  "only empty files",
			opts:  []transfer.Option{transfer.WithMaxSize(0)},
			entry: newEntry("a", 1, monday),
			want:  false,
		},
		{
			name:  "the first time",
			opts:  []transfer.Option{transfer.WithModifiedAfter(monday)},
			entry: newEntry("a", 1, monday),
			want:  true,
		},
		{
			name:  "an earlier time",
			opts:  []transfer.Option{transfer.WithModifiedAfter(tuesday)},
			entry: newEntry("a", 1, monday),
			want:  false,
		},
		{
			name:  "an unknown time is not after another",
			opts:  []transfer.Option{transfer.WithModifiedAfter(monday)},
			entry: newEntry("a", 1, time.Time{}),
			want:  false,
		},
		{
			name:  "a time before",
			opts:  []transfer.Option{transfer.WithModifiedBefore(tuesday)},
			entry: newEntry("a", 1, monday),
			want:  true,
		},
		{
			name:  "the end of the times",
			opts:  []transfer.Option{transfer.WithModifiedBefore(monday)},
			entry: newEntry("a", 1, monday),
			want:  false,
		},
		{
			name:  "an unknown time is not before another",
			opts:  []transfer.Option{transfer.WithModifiedBefore(monday)},
			entry: newEntry("a", 1, time.Time{}),
			want:  false,
		},
		{
			name:  "a pattern",
			opts:  []transfer.Option{transfer.WithInclude("*.jpg")},
			entry: newEntry("x/a.jpg", 1, monday),
			want:  true,
		},
		{
			name: "a key",
			opts: []transfer.Option{transfer.WithInclude("*.jpg"), transfer.WithKeys(func(key string) bool {
				return key == "a.jpg"
			})},
			entry: newEntry("a.jpg", 1, monday),
			want:  true,
		},
		{
			name: "another key",
			opts: []transfer.Option{transfer.WithInclude("*.jpg"), transfer.WithKeys(func(key string) bool {
				return key == "a.png"
			})},
			entry: newEntry("a.png", 1, monday),
			want:  false,
		},
		{
			name:  "the prefix",
			opts:  []transfer.Option{transfer.WithPrefix("x/a")},
			entry: newEntry("x/ab.jpg", 1, monday),
			want:  true,
		},
		{
			name:  "another prefix",
			opts:  []transfer.Option{transfer.WithPrefix("x/a")},
			entry: newEntry("x/b.jpg", 1, monday),
			want:  false,
		},
		{
			name:  "a folder of the prefix",
			opts:  []transfer.Option{transfer.WithPrefix("x/a")},
			entry: storage.ListEntry{Key: "x/", IsPrefix: true},
			want:  true,
		},
		{
			name:  "a folder that begins with the prefix",
			opts:  []transfer.Option{transfer.WithPrefix("x/a")},
			entry: storage.ListEntry{Key: "x/ab/", IsPrefix: true},
			want:  true,
		},
		{
			name:  "a folder beside the prefix",
			opts:  []transfer.Option{transfer.WithPrefix("x/a")},
			entry: storage.ListEntry{Key: "xx/", IsPrefix: true},
			want:  false,
		},
		{
			name:  "an excluded directory",
			opts:  []transfer.Option{transfer.WithExclude("x/")},
			entry: newEntry("x/a.jpg", 1, monday),
			want:  false,
		},
		{
			name: "everything at once",
			opts: []transfer.Option{
				transfer.WithInclude("*.jpg"), transfer.WithMinSize(1), transfer.WithModifiedAfter(monday),
			},
			entry: newEntry("a.jpg", 0, tuesday),
			want:  false,
		},
		{
			name:  "a prefix that may have files",
			opts:  []transfer.Option{transfer.WithInclude("*.jpg"), transfer.WithMinSize(9)},
			entry: storage.ListEntry{Key: "x/", IsPrefix: true},
			want:  true,
		},
		{
			name:  "a prefix that is excluded",
			opts:  []transfer.Option{transfer.WithExclude("x")},
			entry: storage.ListEntry{Key: "x/", IsPrefix: true},
			want:  false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			filter, err := transfer.NewFilter(tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.want, filter.Selects(tt.entry))
		})
	}
}

// NewFilter fails with InvalidArgument if the value of an option is invalid.
func TestNewFilterRefuses(t *testing.T) {
	tests := []struct {
		name string
		opt  transfer.Option
	}{
		{name: "a negative smallest size", opt: transfer.WithMinSize(-1)},
		{name: "a negative largest size", opt: transfer.WithMaxSize(-1)},
		{name: "no function for keys", opt: transfer.WithKeys(nil)},
		{name: "no clock", opt: transfer.WithNow(nil)},
		{name: "no shards", opt: transfer.WithShard(0, 0)},
		{name: "a shard after the last one", opt: transfer.WithShard(2, 2)},
		{name: "a negative shard", opt: transfer.WithShard(-1, 2)},
		{name: "a malformed pattern", opt: transfer.WithInclude("[")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := transfer.NewFilter(tt.opt)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// WithShard assigns each key to the same shard in every release, because jobs of different releases may
// share a migration.
func TestWithShardIsStable(t *testing.T) {
	const shards = 8
	want := map[string]int{"a": 2, "b/c": 1, "2026/11/21.log": 6, "é": 3}

	got := map[string]int{}
	for shard := range shards {
		filter, err := transfer.NewFilter(transfer.WithShard(shard, shards))
		require.NoError(t, err)
		for key := range want {
			if filter.Selects(storage.ListEntry{Key: key}) {
				require.NotContains(t, got, key, "the key is in two shards")
				got[key] = shard
			}
		}
	}
	require.Equal(t, want, got)
}

// WithDelete keeps files that the filters by size and time do not select.
func TestWithDeleteKeepsUnselectedFiles(t *testing.T) {
	dir := newTree(t, map[string]string{"small": "x", "large": "xxxxxxxxxx", "grown": "xxxxxxxxxx"})
	for name, modified := range map[string]time.Time{"small": monday, "large": tuesday, "grown": tuesday} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), modified, modified))
	}

	// The objects are newer than the files. The directory lacks the files "gone-small" and
	// "gone-large".
	fill := func() storage.Bucket {
		b := memstore.New()
		for key, text := range map[string]string{
			"large":      "older",
			"grown":      "x",
			"gone-small": "x",
			"gone-large": "xxxxxxxxxx",
		} {
			_, err := b.Upload(t.Context(), key, file(text))
			require.NoError(t, err)
		}
		return b
	}
	tests := []struct {
		name string
		opts []transfer.Option
		want map[string]string // the objects afterwards
	}{
		{
			name: "large files are not selected",
			opts: []transfer.Option{transfer.WithMaxSize(5)},
			want: map[string]string{"small": "x", "large": "older", "grown": "x", "gone-large": "xxxxxxxxxx"},
		},
		{
			name: "small files are not selected",
			opts: []transfer.Option{transfer.WithMinSize(5)},
			want: map[string]string{"large": "xxxxxxxxxx", "grown": "xxxxxxxxxx", "gone-small": "x"},
		},
		{
			name: "old files are not selected",
			opts: []transfer.Option{transfer.WithModifiedAfter(tuesday)},
			want: map[string]string{"large": "xxxxxxxxxx", "grown": "xxxxxxxxxx"},
		},
		{
			name: "new files are not selected",
			opts: []transfer.Option{transfer.WithModifiedBefore(tuesday)},
			want: map[string]string{
				"small":      "x",
				"large":      "older",
				"grown":      "x",
				"gone-small": "x",
				"gone-large": "xxxxxxxxxx",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := fill()
			_, err := transfer.Upload(t.Context(), b, dir, append(tt.opts, transfer.WithDelete())...)
			require.NoError(t, err)
			got := map[string]string{}
			for e, err := range b.List(t.Context()) {
				require.NoError(t, err)
				text, _, err := storage.ReadAll(t.Context(), b, e.Key)
				require.NoError(t, err)
				got[e.Key] = string(text)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// The jobs of all shards together do what one job without shards does.
func TestWithShardAddsUp(t *testing.T) {
	const shards = 3

	// The source has 40 files in four folders, and a link, which jobs ignore.
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("%d/%d", i%4, i)] = strings.Repeat("x", i)
	}
	dir := newTree(t, files)
	require.NoError(t, os.Symlink("0", filepath.Join(dir, "link")))

	// The destination has four keys that the source lacks.
	dstKeys := []string{"gone/1", "gone/2", "gone/3", "gone/4", "0/0"}

	// Run one job without shards.
	wantDst := newFilledBucket(t, dstKeys)
	want, err := transfer.Upload(t.Context(), wantDst, dir, transfer.WithDelete())
	require.NoError(t, err)
	require.EqualValues(t, 4, want.Deleted)

	// Run a job for each shard.
	gotDst := newFilledBucket(t, dstKeys)
	var got transfer.Report
	for i := range shards {
		report, err := transfer.Upload(t.Context(), gotDst, dir, transfer.WithDelete(), transfer.WithShard(i, shards))
		require.NoError(t, err)
		require.Positive(t, report.Transferred)

		got.Transferred += report.Transferred
		got.Skipped += report.Skipped
		got.Ignored += report.Ignored
		got.Deleted += report.Deleted
		got.Bytes += report.Bytes
	}

	// The reports of the shards add up to the report of the one job.
	require.Equal(t, want.Transferred, got.Transferred)
	require.Equal(t, want.Skipped, got.Skipped)
	require.Equal(t, want.Ignored, got.Ignored)
	require.Equal(t, want.Deleted, got.Deleted)
	require.Equal(t, want.Bytes, got.Bytes)
	require.ElementsMatch(t, keysOf(contents(t, wantDst)), keysOf(contents(t, gotDst)))
}

// WithDelete refuses an empty source. A source does not count as empty if it only has no file in
// this shard.
func TestWithShardOfASourceWithOneFile(t *testing.T) {
	const shards = 3
	dir := newTree(t, map[string]string{"a": "a"})
	dst := newFilledBucket(t, numberedKeys(40))

	for i := range shards {
		_, err := transfer.Upload(t.Context(), dst, dir, transfer.WithDelete(), transfer.WithShard(i, shards))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"a"}, keysOf(contents(t, dst)))
}

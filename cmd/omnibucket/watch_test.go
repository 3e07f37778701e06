package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A syncSummary is what "sync --json" prints at the end of a sync.
type syncSummary struct {
	Event       string `json:"event"`
	Transferred int    `json:"transferred"`
	Deleted     int    `json:"deleted"`
	Failed      int    `json:"failed"`
}

// nextSummary reads the output up to the next summary of a sync, and returns it.
func nextSummary(t *testing.T, r *bufio.Reader) syncSummary {
	t.Helper()
	for {
		line, err := r.ReadBytes('\n')
		require.NoError(t, err)
		var s syncSummary
		require.NoError(t, json.Unmarshal(line, &s))
		if s.Event == "summary" {
			return s
		}
	}
}

// nextSummaryWithChanges is like nextSummary, but skips syncs that changed nothing. One change may cause two syncs.
func nextSummaryWithChanges(t *testing.T, r *bufio.Reader) syncSummary {
	t.Helper()
	s := nextSummary(t, r)
	for s == (syncSummary{Event: "summary"}) {
		s = nextSummary(t, r)
	}
	return s
}

// sync --watch copies each change of its directory, until an interrupt ends it.
func TestSyncWatchCopiesEachChange(t *testing.T) {
	dir := t.TempDir()
	bucket := newDirectoryAddress(t)
	pathOf := func(key string) string { return filepath.Join(dir, filepath.FromSlash(key)) }

	// The first sync copies two of these files.
	writeFiles(t, dir, map[string]string{"a": "1", "sub/deep/b": "2", "skip/c": "3"})
	process, stdin, stdout := startProcess(t, "sync", "--watch", "--delete", "--exclude", "skip/", "--json", dir, bucket)
	require.NoError(t, stdin.Close())
	lines := bufio.NewReader(stdout)
	require.Equal(t, syncSummary{Event: "summary", Transferred: 2}, nextSummary(t, lines))

	// Each change causes another sync.
	changes := []struct {
		name   string
		change func() error
		want   syncSummary
	}{
		{
			name:   "a file is replaced",
			change: func() error { return os.WriteFile(pathOf("sub/deep/b"), []byte("longer"), 0o600) },
			want:   syncSummary{Transferred: 1},
		},
		{
			name:   "a folder is new",
			change: func() error { return os.CopyFS(pathOf("sub/new"), os.DirFS(pathOf("sub/deep"))) },
			want:   syncSummary{Transferred: 1},
		},
		{
			name:   "a file in a new folder is replaced",
			change: func() error { return os.WriteFile(pathOf("sub/new/b"), []byte("again"), 0o600) },
			want:   syncSummary{Transferred: 1},
		},
		{
			name:   "a folder gets another name",
			change: func() error { return os.Rename(pathOf("sub/deep"), pathOf("other")) },
			want:   syncSummary{Transferred: 1, Deleted: 1},
		},
		{
			name:   "a file in a renamed folder is replaced",
			change: func() error { return os.WriteFile(pathOf("other/b"), []byte("once more"), 0o600) },
			want:   syncSummary{Transferred: 1},
		},
		{
			name:   "a folder is removed",
			change: func() error { return os.RemoveAll(pathOf("sub")) },
			want:   syncSummary{Deleted: 1},
		},
		{
			name: "an excluded folder changes, and then a file",
			change: func() error {
				if err := os.WriteFile(pathOf("skip/c"), []byte("excluded"), 0o600); err != nil {
					return err
				}
				return os.WriteFile(pathOf("a"), []byte("last"), 0o600)
			},
			want: syncSummary{Transferred: 1},
		},
	}
	for _, tt := range changes {
		require.NoError(t, tt.change(), tt.name)
		tt.want.Event = "summary"
		require.Equal(t, tt.want, nextSummaryWithChanges(t, lines), tt.name)
	}

	// An interrupt ends the process. The bucket has the files that were neither removed nor
	// excluded.
	require.NoError(t, process.Process.Signal(os.Interrupt))
	_, err := io.Copy(io.Discard, lines)
	require.NoError(t, err)
	require.Equal(t, exitInterrupted, waitForExit(t, process))
	require.Equal(t, "a\nother/b\n", newShell(t).run("find", bucket))
}

// If a file cannot be stored, sync --watch continues with the next change. It ends when its
// directory is removed.
func TestSyncWatchSyncsAfterAFailureAgain(t *testing.T) {
	dir := t.TempDir()
	bucket := newDirectoryAddress(t)
	writeFiles(t, dir, map[string]string{"a": "1"})
	process, stdin, stdout := startProcess(t, "sync", "--watch", "--json", dir, bucket)
	require.NoError(t, stdin.Close())
	lines := bufio.NewReader(stdout)
	require.Equal(t, 1, nextSummary(t, lines).Transferred)

	// A file cannot be stored, because no key has a backslash.
	writeFiles(t, dir, map[string]string{`bad\name`: "2"})
	require.Equal(t, 1, nextSummary(t, lines).Failed)

	// With another name, it can be stored.
	require.NoError(t, os.Rename(filepath.Join(dir, `bad\name`), filepath.Join(dir, "good")))
	require.Equal(t, 1, nextSummary(t, lines).Transferred)

	// Without the directory, nothing is left to watch.
	require.NoError(t, os.RemoveAll(dir))
	_, err := io.Copy(io.Discard, lines)
	require.NoError(t, err)
	require.Equal(t, exitNotFound, waitForExit(t, process))
}

// sync --watch refuses a source in a bucket, because it cannot watch buckets. It also refuses flags
// that it does not support.
func TestSyncWatchRefusesWhatItCannotWatch(t *testing.T) {
	dir := t.TempDir()
	bucket := newDirectoryAddress(t)
	const flagErr = "--watch must not be used with --links, --shard or --journal"
	tests := []struct {
		name    string
		args    []string
		wantErr string // on standard error
	}{
		{
			name:    "a source in a bucket",
			args:    []string{bucket, dir},
			wantErr: "--watch must have a directory of this machine",
		},
		{name: "links", args: []string{"--links", dir, bucket}, wantErr: flagErr},
		{name: "a shard", args: []string{"--shard", "0/2", dir, bucket}, wantErr: flagErr},
		{name: "a journal", args: []string{"--journal", t.TempDir(), dir, bucket}, wantErr: flagErr},
	}
	for _, tt := range tests {
		_, stderr := newShell(t).requireExit(exitUsage, append([]string{"sync", "--watch"}, tt.args...)...)
		require.Contains(t, stderr, tt.wantErr, tt.name)
	}
}

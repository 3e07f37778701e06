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

// nextSummary reads the output until a sync has ended.
func nextSummary(t *testing.T, out *bufio.Reader) syncSummary {
	t.Helper()
	for {
		line, err := out.ReadBytes('\n')
		require.NoError(t, err)
		var s syncSummary
		require.NoError(t, json.Unmarshal(line, &s))
		if s.Event == "summary" {
			return s
		}
	}
}

func TestSyncWatchCopiesEachChange(t *testing.T) {
	dir := t.TempDir()
	bucket := directory(t)
	at := func(key string) string { return filepath.Join(dir, filepath.FromSlash(key)) }
	writeFiles(t, dir, map[string]string{"a": "1", "sub/deep/b": "2", "skip/c": "3"})
	process, in, out := started(t, "sync", "--watch", "--delete", "--exclude", "skip/", "--json", dir, bucket)
	require.NoError(t, in.Close())
	lines := bufio.NewReader(out)
	require.Equal(t, syncSummary{"summary", 2, 0, 0}, nextSummary(t, lines))

	for _, step := range []struct {
		name   string
		change func() error
		want   syncSummary
	}{
		{"a file is replaced", func() error { return os.WriteFile(at("sub/deep/b"), []byte("longer"), 0o600) }, syncSummary{Transferred: 1}},
		{"a folder is new", func() error { return os.CopyFS(at("sub/new"), os.DirFS(at("sub/deep"))) }, syncSummary{Transferred: 1}},
		{"a file in a new folder is replaced", func() error { return os.WriteFile(at("sub/new/b"), []byte("again"), 0o600) }, syncSummary{Transferred: 1}},
		{"a folder gets another name", func() error { return os.Rename(at("sub/deep"), at("other")) }, syncSummary{Transferred: 1, Deleted: 1}},
		{"a file in a renamed folder is replaced", func() error { return os.WriteFile(at("other/b"), []byte("once more"), 0o600) }, syncSummary{Transferred: 1}},
		{"a folder is removed", func() error { return os.RemoveAll(at("sub")) }, syncSummary{Deleted: 1}},
		{"an excluded folder changes, and then a file", func() error {
			if err := os.WriteFile(at("skip/c"), []byte("excluded"), 0o600); err != nil {
				return err
			}
			return os.WriteFile(at("a"), []byte("last"), 0o600)
		}, syncSummary{Transferred: 1}},
	} {
		require.NoError(t, step.change(), step.name)
		step.want.Event = "summary"
		got := nextSummary(t, lines)
		for got == (syncSummary{Event: "summary"}) { // one change may be seen in two syncs
			got = nextSummary(t, lines)
		}
		require.Equal(t, step.want, got, step.name)
	}
	require.NoError(t, process.Process.Signal(os.Interrupt))
	_, err := io.Copy(io.Discard, lines)
	require.NoError(t, err)
	require.Equal(t, 130, exitOf(t, process))
	require.Equal(t, "a\nother/b\n", newShell(t).ok("find", bucket))
}

func TestSyncWatchSyncsAfterAFailureAgain(t *testing.T) {
	dir := t.TempDir()
	bucket := directory(t)
	writeFiles(t, dir, map[string]string{"a": "1"})
	process, in, out := started(t, "sync", "--watch", "--json", dir, bucket)
	require.NoError(t, in.Close())
	lines := bufio.NewReader(out)
	require.Equal(t, 1, nextSummary(t, lines).Transferred)

	writeFiles(t, dir, map[string]string{`bad\name`: "2"}) // no key has a backslash
	require.Equal(t, 1, nextSummary(t, lines).Failed)
	require.NoError(t, os.Rename(filepath.Join(dir, `bad\name`), filepath.Join(dir, "good")))
	require.Equal(t, 1, nextSummary(t, lines).Transferred)
	require.NoError(t, os.RemoveAll(dir))
	_, err := io.Copy(io.Discard, lines)
	require.NoError(t, err)
	require.Equal(t, 3, exitOf(t, process)) // nothing is left to watch
}

func TestSyncWatchRefusesWhatItCannotWatch(t *testing.T) {
	dir := t.TempDir()
	bucket := directory(t)
	for _, c := range []struct {
		name string
		args []string
		text string
	}{
		{"a source in a bucket", []string{bucket, dir}, "--watch must have a directory of this machine"},
		{"links", []string{"--links", dir, bucket}, "--watch must not be used with --links"},
		{"a shard", []string{"--shard", "0/2", dir, bucket}, "--watch must not be used with --links"},
		{"a journal", []string{"--journal", t.TempDir(), dir, bucket}, "--watch must not be used with --links"},
	} {
		_, errs := newShell(t).exits(2, append([]string{"sync", "--watch"}, c.args...)...)
		require.Contains(t, errs, c.text, c.name)
	}
}

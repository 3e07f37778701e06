package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShardsOfSyncAddUp(t *testing.T) {
	const shards = 3
	s := newShell(t)
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("%d/%d", i%3, i)] = "x"
	}
	writeFiles(t, dir, files)
	bucket := memory(t)
	s.put(bucket+"/gone/1", "x")
	transferred, deleted := 0, 0
	for i := range shards {
		_, report := s.synced("--delete", "--shard", fmt.Sprintf("%d/%d", i, shards), dir, bucket)
		transferred += numberBefore(t, report, "transferred")
		deleted += numberBefore(t, report, "deleted")
	}
	require.Equal(t, len(files), transferred)
	require.Equal(t, 1, deleted)
	require.Equal(t, len(files), strings.Count(s.ok("ls", "-r", bucket), "\n"))
	for _, shard := range []string{"", "3", "3/3", "-1/3", "1/0", "a/b", "1/3/4"} {
		s.exits(2, "sync", "--shard", shard, dir, bucket)
	}
}

// numberBefore returns the number before a word of a report, or 0.
func numberBefore(t *testing.T, report, word string) int {
	t.Helper()
	match := regexp.MustCompile(`(\d+) ` + word).FindStringSubmatch(report)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	require.NoError(t, err)
	return n
}

// A writer that cancels after some lines.
type cancelsAfter struct {
	lines  int
	cancel func()
}

func (c *cancelsAfter) Write(data []byte) (int, error) {
	if c.lines -= strings.Count(string(data), "\n"); c.lines <= 0 {
		c.cancel()
	}
	return len(data), nil
}

func TestAJournalOfSyncContinues(t *testing.T) {
	const files = 1200
	s := newShell(t)
	src, dst := t.TempDir(), memory(t)
	kept := filepath.Join(t.TempDir(), "new", "journals")
	tree := map[string]string{}
	for i := range files {
		tree[fmt.Sprintf("%04d%s", i, strings.Repeat("x", 200))] = "x" // long names, so that the output is written
	}
	writeFiles(t, src, tree)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	args := []string{"sync", "-v", "--concurrency", "1", "--journal", kept, "--shard", "0/1", src, dst}
	require.Equal(t, 130, run(ctx, args, s.around(nil, &cancelsAfter{1, cancel}, io.Discard)))
	entries, err := os.ReadDir(kept)
	require.NoError(t, err)
	journals := 0
	for _, entry := range entries {
		if regexp.MustCompile(`^journal-[0-9a-f]{16}-0-of-1\.json$`).MatchString(entry.Name()) {
			journals++
		}
	}
	require.Equal(t, 1, journals)
	stdout, stderr := s.exits(0, args...)
	require.Equal(t, files, numberBefore(t, stderr, "transferred")+numberBefore(t, stderr, "the same"))
	require.NotContains(t, stdout, "transferred 0000")
	require.Equal(t, files, strings.Count(s.ok("ls", "-r", dst), "\n"))
	s.exits(2, "sync", "--journal", "-", src, dst)
}

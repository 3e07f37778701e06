package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

func TestVersionsAreRemovedAndBroughtBackInBatches(t *testing.T) {
	const files = 30
	for _, row := range []struct {
		name    string
		removed bool // before
		args    []string
		batches int
		left    int
	}{
		{"rb", false, []string{"rb", "--force", "box:"}, 1, 0},
		{"expire", true, []string{"expire", "--all", "--old-versions", "1ns", "box:"}, 1, 0},
		{"undelete", true, []string{"undelete", "box:"}, 1, files},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			server := s3Box(t, s, s3server.Config{})
			s.ok("bucket", "--versioning", "on", "box:")
			dir := t.TempDir()
			tree := map[string]string{}
			for i := range files {
				tree[fmt.Sprintf("f%02d", i)] = "x"
			}
			writeFiles(t, dir, tree)
			s.exits(0, "sync", dir, "box:")
			if row.removed {
				s.ok("rm", "-r", "--all", "box:")
			}
			server.Reset()
			s.exits(0, row.args...)
			require.Equal(t, row.batches, server.Count("DeleteObjects"))
			for _, single := range []string{"DeleteObject", "CopyObject", "PutObject", "HeadObject"} {
				require.Zero(t, server.Count(single), single)
			}
			if row.left > 0 {
				require.Len(t, strings.Fields(s.ok("ls", "box:")), row.left)
				require.NotContains(t, s.ok("ls", "--versions", "box:"), "delete marker")
			}
		})
	}
}

func TestAHundredThousandVersionsAreAHundredRequests(t *testing.T) {
	s := newShell(t)
	server := s3Box(t, s, s3server.Config{})
	b, err := storage.Open(t.Context(), s.env["OMNIBUCKET_BOX"]+"&versions=true")
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(b)) }()
	server.Reset()
	removed, err := storage.RemoveVersions(t.Context(), b, func(yield func(storage.VersionEntry) bool) {
		for i := range 100_000 {
			if !yield(storage.VersionEntry{ListEntry: storage.ListEntry{Key: fmt.Sprint(i)}, Version: "null"}) {
				return
			}
		}
	})
	require.NoError(t, err)
	require.Equal(t, 100_000, removed)
	require.Equal(t, 100, server.Count("DeleteObjects"))
	require.LessOrEqual(t, server.Count(""), 110)
}

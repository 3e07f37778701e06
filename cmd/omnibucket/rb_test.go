package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// Versions are removed and brought back in batches.
func TestVersionsInBatches(t *testing.T) {
	const files = 30
	for _, row := range []struct {
		name    string
		removed bool // before
		args    []string
		batches int
		clock   int // requests of each kind that read the clock of the store
		left    int
	}{
		{"rb", false, []string{"rb", "--force", "box:"}, 1, 0, 0},
		{"expire", true, []string{"expire", "--all", "--old-versions", "1m", "box:"}, 1, 1, 0},
		{"undelete", true, []string{"undelete", "box:"}, 1, 0, files},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			var ahead atomic.Int64 // of the clock of the server
			server := s3Box(t, s, s3server.Config{Now: func() time.Time {
				return time.Now().Add(time.Duration(ahead.Load()))
			}})
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
			ahead.Store(int64(2 * time.Minute))
			server.Reset()
			s.exits(0, row.args...)
			require.Equal(t, row.batches, server.Count("DeleteObjects"))
			require.Zero(t, server.Count("CopyObject"))
			for _, single := range []string{"DeleteObject", "PutObject"} {
				require.Equal(t, row.clock, server.Count(single), single)
			}
			require.LessOrEqual(t, server.Count("HeadObject"), 2*row.clock)
			if row.left > 0 {
				require.Len(t, strings.Fields(s.ok("ls", "box:")), row.left)
				require.NotContains(t, s.ok("ls", "--versions", "box:"), "delete marker")
			}
		})
	}
}

// Removing a hundred thousand versions takes a hundred requests.
func TestVersionsHundredThousand(t *testing.T) {
	s := newShell(t)
	server := s3Box(t, s, s3server.Config{})
	b, err := storage.Open(t.Context(), s.env["OMNIBUCKET_BOX"]+"&versions=true")
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(b)) }()
	server.Reset()
	n, err := storage.RemoveVersions(t.Context(), b, func(yield func(storage.VersionEntry) bool) {
		for i := range 100_000 {
			if !yield(storage.VersionEntry{ListEntry: storage.ListEntry{Key: fmt.Sprint(i)}, Version: "null"}) {
				return
			}
		}
	})
	require.NoError(t, err)
	require.Equal(t, 100_000, n)
	require.Equal(t, 100, server.Count("DeleteObjects"))
	require.LessOrEqual(t, server.Count(""), 110)
}

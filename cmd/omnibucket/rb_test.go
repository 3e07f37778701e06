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

// rb, expire and undelete send one request for a whole batch of versions.
func TestVersionsInBatches(t *testing.T) {
	const files = 30
	tests := []struct {
		name    string
		removed bool // whether the files were removed before
		args    []string
		batches int
		clock   int // number of times that the clock of the store is read
		left    int // number of objects after the command
	}{
		{name: "rb", args: []string{"rb", "--force", "box:"}, batches: 1},
		{
			name:    "expire",
			removed: true,
			args:    []string{"expire", "--all", "--old-versions", "1m", "box:"},
			batches: 1,
			clock:   1,
		},
		{name: "undelete", removed: true, args: []string{"undelete", "box:"}, batches: 1, left: files},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			var clockOffset atomic.Int64
			server := s.startS3Location("box", s3server.Config{Now: func() time.Time {
				return time.Now().Add(time.Duration(clockOffset.Load()))
			}})
			s.run("bucket", "--versioning", "on", "box:")

			// Store the files.
			dir := t.TempDir()
			tree := map[string]string{}
			for i := range files {
				tree[fmt.Sprintf("f%02d", i)] = "x"
			}
			writeFiles(t, dir, tree)
			s.requireExit(exitOK, "sync", dir, "box:")
			if tt.removed {
				s.run("rm", "-r", "--all", "box:")
			}

			// From here on, all versions are older than a minute.
			clockOffset.Store(int64(2 * time.Minute))
			server.Reset()

			s.requireExit(exitOK, tt.args...)

			require.Equal(t, tt.batches, server.Count("DeleteObjects"))
			require.Zero(t, server.Count("CopyObject"))
			// To read the clock, an object is written and removed.
			require.Equal(t, tt.clock, server.Count("PutObject"))
			require.Equal(t, tt.clock, server.Count("DeleteObject"))
			require.LessOrEqual(t, server.Count("HeadObject"), 2*tt.clock)

			if tt.left > 0 {
				require.Len(t, strings.Fields(s.run("ls", "box:")), tt.left)
				require.NotContains(t, s.run("ls", "--versions", "box:"), "delete marker")
			}
		})
	}
}

// Removing a hundred thousand versions takes a hundred requests.
func TestVersionsHundredThousand(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	b, err := storage.Open(t.Context(), s.addressOf("box")+"&versions=true")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	server.Reset()

	const versions = 100_000
	removed, err := storage.RemoveVersions(t.Context(), b, func(yield func(storage.VersionEntry) bool) {
		for i := range versions {
			if !yield(storage.VersionEntry{ListEntry: storage.ListEntry{Key: fmt.Sprint(i)}, Version: "null"}) {
				return
			}
		}
	})

	require.NoError(t, err)
	require.Equal(t, versions, removed)
	// One request removes a thousand versions.
	require.Equal(t, 100, server.Count("DeleteObjects"))
	allRequests := server.Count("")
	require.LessOrEqual(t, allRequests, 110)
}

// rb --dry-run says of a bucket without versions whether it could be removed, and removes nothing.
func TestRbDryRunWithoutVersions(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	s.addParameter("box", "profile=r2") // a provider without versions

	s.put("box:a", "text")
	_, stderr := s.requireExit(exitFailure, "rb", "--dry-run", "box:")
	require.Contains(t, stderr, "bucket not empty")

	s.run("rm", "box:a")
	s.requireExit(exitOK, "rb", "--dry-run", "box:")
	s.requireExit(exitOK, "stat", "box:")
}

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

// rb, expire and undelete remove a whole batch of versions with one request.
func TestVersionsInBatches(t *testing.T) {
	const files = 30
	tests := []struct {
		name           string
		isRemoved      bool // whether the files were removed before, so that each has a delete marker
		args           []string
		wantClockReads int // number of times that the command reads the clock of the store, to know the age of versions
		wantObjects    int // in the bucket after the command; not checked if 0
	}{
		{name: "rb", args: []string{"rb", "--force", "box:"}},
		{
			name:           "expire",
			isRemoved:      true,
			args:           []string{"expire", "--all", "--old-versions", "1m", "box:"},
			wantClockReads: 1,
		},
		{name: "undelete", isRemoved: true, args: []string{"undelete", "box:"}, wantObjects: files},
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
			if tt.isRemoved {
				s.run("rm", "-r", "--all", "box:")
			}

			// From here on, all versions are older than a minute.
			clockOffset.Store(int64(2 * time.Minute))
			server.Reset()

			s.requireExit(exitOK, tt.args...)

			// One request removes the whole batch.
			require.Equal(t, 1, server.Count("DeleteObjects"))
			require.Zero(t, server.Count("CopyObject"))

			// To read the clock of the store, the command writes and removes an object.
			require.Equal(t, tt.wantClockReads, server.Count("PutObject"))
			require.Equal(t, tt.wantClockReads, server.Count("DeleteObject"))
			require.LessOrEqual(t, server.Count("HeadObject"), 2*tt.wantClockReads)

			if tt.wantObjects > 0 {
				require.Len(t, strings.Fields(s.run("ls", "box:")), tt.wantObjects)
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

	const versions = 100_000
	server.Reset()
	removed, err := storage.RemoveVersions(t.Context(), b, func(yield func(storage.VersionEntry) bool) {
		for i := range versions {
			if !yield(storage.VersionEntry{ListEntry: storage.ListEntry{Key: fmt.Sprint(i)}, Version: "null"}) {
				return
			}
		}
	})

	require.NoError(t, err)
	require.Equal(t, versions, removed)
	// One request removes a thousand versions, so a hundred requests are enough.
	require.Equal(t, 100, server.Count("DeleteObjects"))
	allRequests := server.Count("")
	require.LessOrEqual(t, allRequests, 110)
}

// On a store without versions, rb --dry-run says whether the bucket could be removed. It removes
// nothing.
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

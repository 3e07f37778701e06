package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// If sync --delete removes more than half of the destination, it says so beforehand, because the source may be
// misspelled.
func TestSyncAnnouncesLargeRemovals(t *testing.T) {
	// The source has only the first of these files.
	threeFiles := map[string]string{"a": "a", "b": "b", "c": "c"}
	tests := []struct {
		name        string
		destination map[string]string
		args        []string
		wantCode    int
		wantErr     string // at the beginning of standard error; "" for no announcement
	}{
		{
			name:        "most",
			destination: threeFiles,
			wantErr:     "omnibucket: removing 2 of the 3 files of the destination, which the source does not have\n",
		},
		{
			name:        "a dry run",
			destination: threeFiles,
			args:        []string{"--dry-run"},
			wantErr:     "omnibucket: would remove 2 of the 3 files",
		},
		{
			name:        "half",
			destination: map[string]string{"a": "a", "b": "b"},
		},
		{
			name:        "quiet",
			destination: threeFiles,
			args:        []string{"-q"},
		},
		{
			name:        "more than --max-delete",
			destination: threeFiles,
			args:        []string{"--max-delete", "1"},
			wantCode:    exitUsage,
		},
		{
			name:        "without --delete",
			destination: threeFiles,
			args:        []string{"--delete=false"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			src := t.TempDir()
			dst := t.TempDir()
			writeFiles(t, src, map[string]string{"a": "a", "new": "new"})
			writeFiles(t, dst, tt.destination)

			args := slices.Concat([]string{"sync", "--delete"}, tt.args, []string{src, dst})
			_, stderr := s.requireExit(tt.wantCode, args...)
			if tt.wantErr == "" {
				require.NotContains(t, stderr, "of the destination")
				return
			}
			require.Regexp(t, "^"+tt.wantErr, stderr)
		})
	}
}

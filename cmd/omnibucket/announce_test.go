package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// If sync --delete would remove most of the destination, it says so beforehand. The source may be misspelled.
func TestSyncAnnouncesLargeRemovals(t *testing.T) {
	tests := []struct {
		name        string
		destination map[string]string
		args        []string
		wantErr     string
	}{
		{
			name:        "most",
			destination: map[string]string{"a": "a", "b": "b", "c": "c"},
			wantErr:     "omnibucket: removing 2 of the 3 files of the destination, which the source does not have\n",
		},
		{
			name:        "a dry run",
			destination: map[string]string{"a": "a", "b": "b", "c": "c"},
			args:        []string{"--dry-run"},
			wantErr:     "omnibucket: would remove 2 of the 3 files",
		},
		{name: "half", destination: map[string]string{"a": "a", "b": "b"}},
		{name: "quiet", destination: map[string]string{"a": "a", "b": "b", "c": "c"}, args: []string{"-q"}},
		{
			name:        "more than --max-delete",
			destination: map[string]string{"a": "a", "b": "b", "c": "c"},
			args:        []string{"--max-delete", "1"},
		},
		{
			name:        "without --delete",
			destination: map[string]string{"a": "a", "b": "b", "c": "c"},
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
			args := append([]string{"sync", "--delete"}, append(tt.args, src, dst)...)
			code := 0
			if tt.name == "more than --max-delete" {
				code = 2
			}
			_, stderr := s.exits(code, args...)
			if tt.wantErr == "" {
				require.NotContains(t, stderr, "of the destination")
				return
			}

			require.Regexp(t, "^"+tt.wantErr, stderr, "before anything else")
		})
	}
}

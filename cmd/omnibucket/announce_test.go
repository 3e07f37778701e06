package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// If sync --delete would remove most of the destination, it says so beforehand. The source may be misspelled.
func TestSyncAnnouncesLargeRemovals(t *testing.T) {
	for _, row := range []struct {
		name        string
		destination map[string]string
		args        []string
		says        string
	}{
		{"most", map[string]string{"a": "a", "b": "b", "c": "c"}, nil,
			"omnibucket: removing 2 of the 3 files of the destination, which the source does not have\n"},
		{"a dry run", map[string]string{"a": "a", "b": "b", "c": "c"}, []string{"--dry-run"},
			"omnibucket: would remove 2 of the 3 files"},
		{"half", map[string]string{"a": "a", "b": "b"}, nil, ""},
		{"quiet", map[string]string{"a": "a", "b": "b", "c": "c"}, []string{"-q"}, ""},
		{"more than --max-delete", map[string]string{"a": "a", "b": "b", "c": "c"}, []string{"--max-delete", "1"}, ""},
		{"without --delete", map[string]string{"a": "a", "b": "b", "c": "c"}, []string{"--delete=false"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			src := t.TempDir()
			dst := t.TempDir()
			writeFiles(t, src, map[string]string{"a": "a", "new": "new"})
			writeFiles(t, dst, row.destination)
			args := append([]string{"sync", "--delete"}, append(row.args, src, dst)...)
			code := 0
			if row.name == "more than --max-delete" {
				code = 2
			}
			_, stderr := s.exits(code, args...)
			if row.says == "" {
				require.NotContains(t, stderr, "of the destination")
				return
			}
			require.Regexp(t, "^"+row.says, stderr, "before anything else")
		})
	}
}

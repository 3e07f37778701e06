package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// sync writes a cache file with the files that are the same in source and destination. With
// --verify or --dry-run, it writes none.
func TestSyncVerify(t *testing.T) {
	tests := []struct {
		name      string
		args      []string
		wantFiles int // number of cache files
	}{
		{name: "by default", wantFiles: 1},
		{name: "verify", args: []string{"--verify"}},
		{name: "dry run", args: []string{"--dry-run"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"a": "text"})

			s.runSync(append(tt.args, dir, newDirectoryAddress(t))...)

			files, err := filepath.Glob(filepath.Join(s.env["XDG_CACHE_HOME"], "omnibucket", "sync", "*.same"))
			require.NoError(t, err)
			require.Len(t, files, tt.wantFiles)
		})
	}
}

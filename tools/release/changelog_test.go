package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The notes of a release are its section of the changelog.
func TestWriteNotes(t *testing.T) {
	r := &repository{root: t.TempDir(), version: "v0.1.0", notes: filepath.Join(t.TempDir(), "notes.md")}
	require.NoError(t, os.WriteFile(filepath.Join(r.root, "CHANGELOG.md"), []byte(changelog), 0o600))
	require.NoError(t, writeNotes(r))
	text, err := os.ReadFile(r.notes)
	require.NoError(t, err)
	require.Equal(t, "### Added\n- The first thing.\n", string(text))
}

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/partfile"
)

// A command removes the temporary files that killed commands left in a directory. It keeps files that only have
// such a name.
func TestLeftoversOfKilledCommands(t *testing.T) {
	tests := []struct {
		name string
		args func(dir string) []string
	}{
		{"sync", func(dir string) []string { return []string{"sync", "box:", dir} }},
		{"sync --delete", func(dir string) []string { return []string{"sync", "--delete", "box:", dir} }},
		{"cp -r", func(dir string) []string { return []string{"cp", "-r", "box:", dir} }},
		{"cp to the same file", func(dir string) []string {
			return []string{"cp", "box:sub/a", filepath.Join(dir, "sub", "a")}
		}},
		{"cp of a file", func(dir string) []string {
			return []string{"cp", os.Args[0], filepath.Join(dir, "sub", "a")}
		}},
		{"rm -r", func(dir string) []string { return []string{"rm", "-r", filepath.Join(dir, "sub")} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			s.setBox(newMemoryAddress(t))
			s.put("box:sub/a", "x")
			require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
			killed, err := partfile.Create(partfile.System{}, filepath.Join(dir, "sub", "a"), 0o644)
			require.NoError(t, err)
			killed.Keep() // ends the lock, as a kill

			require.Len(t, temporaryFiles(t, dir), 2)
			foreign := filepath.Join(dir, "sub", ".omnibucket-0123456789abcdef")
			require.NoError(t, os.WriteFile(foreign, []byte("another's"), 0o600))

			s.exits(exitOK, tt.args(dir)...)
			require.Equal(t, []string{foreign}, temporaryFiles(t, dir))
		})
	}
}

// temporaryFiles returns the paths of temporary files of the program in a directory.
func temporaryFiles(t *testing.T, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".omnibucket-") {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

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

// A command removes the temporary files that killed commands left in a directory. It keeps files of
// other programs that have the name of a temporary file.
func TestLeftoversOfKilledCommands(t *testing.T) {
	tests := []struct {
		name string
		args []string
		path string // the last argument, in the directory
	}{
		{name: "sync", args: []string{"sync", "box:"}},
		{name: "sync --delete", args: []string{"sync", "--delete", "box:"}},
		{name: "cp -r", args: []string{"cp", "-r", "box:"}},
		{name: "cp to the same file", args: []string{"cp", "box:sub/a"}, path: "sub/a"},
		{name: "cp of a file", args: []string{"cp", os.Args[0]}, path: "sub/a"},
		{name: "rm -r", args: []string{"rm", "-r"}, path: "sub"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			s.setLocation("box", newMemoryAddress(t))
			s.put("box:sub/a", "x")
			require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))

			// A killed command leaves two temporary files.
			killed, err := partfile.Create(partfile.System{}, filepath.Join(dir, "sub", "a"), 0o644)
			require.NoError(t, err)
			killed.Keep() // The file stays, but its lock ends, as after a kill.
			require.Len(t, temporaryFiles(t, dir), 2)

			// Another program has a file with the name of a temporary file.
			foreign := filepath.Join(dir, "sub", ".omnibucket-0123456789abcdef")
			require.NoError(t, os.WriteFile(foreign, []byte("another's"), 0o600))

			s.requireExit(exitOK, append(tt.args, filepath.Join(dir, filepath.FromSlash(tt.path)))...)
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

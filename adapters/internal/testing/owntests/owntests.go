// Package owntests runs the tests of another project against an adapter. It copies the module of
// that project, and adds a file to the copy that makes the tests use the adapter.
package owntests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
)

// A Judge is a copy of another project's module, whose tests check an adapter.
type Judge struct {
	Dir    string // directory of the copy; the test may change its files
	module string
	work   string // directory for other files, such as judge.mod
}

// Copy copies another project's module, which the module in the working directory requires, to a temporary
// directory. If there are parts, it copies only these files and directories of the module.
func Copy(t *testing.T, module string, parts ...string) *Judge {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(output))

	work := t.TempDir()
	j := &Judge{Dir: filepath.Join(work, "judge"), module: module, work: work}
	if len(parts) == 0 {
		require.NoError(t, os.CopyFS(j.Dir, os.DirFS(dir)))
	}
	for _, part := range parts {
		copyPart(t, filepath.Join(dir, part), filepath.Join(j.Dir, part))
	}
	return j
}

// copyPart copies a file, or a directory with everything in it.
func copyPart(t *testing.T, src, dst string) {
	t.Helper()
	info, err := os.Stat(src)
	require.NoError(t, err)
	if info.IsDir() {
		require.NoError(t, os.CopyFS(dst, os.DirFS(src)))
		return
	}

	require.NoError(t, os.MkdirAll(filepath.Dir(dst), 0o755))
	copyFile(t, src, dst, "")
}

// copyFile copies a file and appends extra to the copy.
func copyFile(t *testing.T, src, dst, extra string) {
	t.Helper()
	text, err := os.ReadFile(src)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dst, append(text, extra...), 0o600))
}

// Add copies a file of this repository into the copy of the module.
func (j *Judge) Add(t *testing.T, src, dst string) {
	t.Helper()
	copyFile(t, src, filepath.Join(j.Dir, dst), "")
}

// Replace replaces old, which must occur exactly once, in a file of the copy.
func (j *Judge) Replace(t *testing.T, path, old, repl string) {
	t.Helper()
	path = filepath.Join(j.Dir, path)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), old), "%s in %s", old, path)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), old, repl, 1)), 0o600))
}

// Run runs the tests of a package in the copy that flags select: with a store in memory, in a directory
// and on MinIO. The tests read the address of the store from the given environment variable. Exactly
// passed of them must pass.
func (j *Judge) Run(t *testing.T, pkg, variable string, passed int, flags ...string) {
	t.Helper()
	// A go.mod of its own makes the tests use the copy in j.Dir.
	mod := filepath.Join(j.work, "judge.mod")
	copyFile(t, "go.mod", mod, "\nreplace "+j.module+" => "+j.Dir+"\n")
	copyFile(t, "go.sum", filepath.Join(j.work, "judge.sum"), "")

	program := filepath.Join(j.work, "judge.test")
	built, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-modfile", mod, "-o", program,
		pkg).CombinedOutput()
	require.NoError(t, err, "%s", built)

	// Run the same program on each kind of store.
	directory := filepath.ToSlash(filepath.Join(j.work, "bucket"))
	addresses := map[string]string{
		"memory": "mem://judge",
		"local":  "file://" + directory + "?create=true&sync=false",
		"minio":  minioserver.Address(t),
	}
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), program, append([]string{"-test.v"}, flags...)...)
			c.Dir = j.work
			c.Env = append(os.Environ(), variable+"="+address)
			output, err := c.CombinedOutput()
			require.NoError(t, err, "%s", output)
			// The lines of subtests are indented, so this counts only top-level tests.
			require.Equal(t, passed, strings.Count(string(output), "\n--- PASS"), "%s", output)
		})
	}
}

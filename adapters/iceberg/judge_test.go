package iceberg

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/minioserver"
)

// leftOut is the one test of iceberg-go's files in memory that needs what a bucket as a file system
// does not show: a file "root" beside "root/child.txt". FS shows the directory.
const leftOut = "^TestMemIO_WalkDirTreatsFileRootAsFile$"

// Iceberg-go's own tests of its files in memory judge the adapter on each store: a copy of them gets
// our files in place of theirs.
func TestIcebergsOwnTests(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/apache/iceberg-go").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	copied := filepath.Join(dir, "iceberg-go")
	for _, part := range []string{"go.mod", "io", "internal"} {
		copyAll(t, filepath.Join(strings.TrimSpace(string(output)), part), filepath.Join(copied, part))
	}
	tests, err := filepath.Glob(filepath.Join(copied, "io", "*_test.go"))
	require.NoError(t, err)
	for _, file := range tests {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.Remove(file))
		if filepath.Base(file) == "mem_test.go" {
			text := strings.ReplaceAll(string(text), "icebergio.NewMemFS()", "newMemFS()")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		}
	}
	copyFile(t, "testdata/omnibucket_test.go.txt", filepath.Join(copied, "io", "omnibucket_test.go"), "")
	copyFile(t, "go.mod", filepath.Join(dir, "judge.mod"), "\nreplace github.com/apache/iceberg-go => "+copied+"\n")
	copyFile(t, "go.sum", filepath.Join(dir, "judge.sum"), "")
	program := filepath.Join(dir, "io.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-modfile", filepath.Join(dir, "judge.mod"), "-o", program, "github.com/apache/iceberg-go/io")
	built, err := build.CombinedOutput()
	require.NoError(t, err, "%s", built)

	for name, address := range map[string]string{
		"memory": "mem://iceberg",
		"local":  "file://" + filepath.ToSlash(filepath.Join(dir, "bucket")) + "?create=true&sync=false",
		"minio":  minioserver.Address(t),
	} {
		t.Run(name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), program, "-test.run", "^TestMemIO_", "-test.skip", leftOut, "-test.v")
			c.Dir, c.Env = dir, append(os.Environ(), "OMNIBUCKET_ICEBERG="+address)
			output, err := c.CombinedOutput()
			require.NoError(t, err, "%s", output)
			require.Equal(t, 12, strings.Count(string(output), "\n--- PASS"), "%s", output)
		})
	}
}

// copyAll copies a file or a directory, so that the copy can be changed.
func copyAll(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	require.NoError(t, err)
	if info.IsDir() {
		require.NoError(t, os.CopyFS(to, os.DirFS(from)))
		return
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	copyFile(t, from, to, "")
}

func copyFile(t *testing.T, from, to, more string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, append(text, more...), 0o600))
}

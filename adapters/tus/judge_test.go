package tus

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/minioserver"
)

// ownTests are tests of tusd's filestore. Its other tests look for the bytes of an unfinished
// upload in the file system: TestCreateDirectories, TestCustomRelativePath and
// TestCustomAbsolutePath. In a bucket, an object appears when all of its bytes have arrived.
// TestKeys has what they ask of IDs with slashes and of other keys.
const ownTests = "^(TestFilestore|TestNotFound|TestConcatUploads|TestDeclareLength)$"

// Tusd's own tests of its filestore judge the adapter on each store: in a copy of tusd, the adapter
// takes the place of that package.
func TestTusdsOwnTests(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tus/tusd/v2").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	tusd := filepath.Join(dir, "tusd")
	copyModule(t, strings.TrimSpace(string(output)), tusd)
	copyFile(t, "testdata/filestore.go.txt", filepath.Join(tusd, "pkg", "filestore", "filestore.go"), "")
	copyFile(t, "go.mod", filepath.Join(dir, "judge.mod"), "\nreplace github.com/tus/tusd/v2 => "+tusd+"\n")
	copyFile(t, "go.sum", filepath.Join(dir, "judge.sum"), "")
	program := filepath.Join(dir, "filestore.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-modfile", filepath.Join(dir, "judge.mod"), "-o", program, "github.com/tus/tusd/v2/pkg/filestore")
	built, err := build.CombinedOutput()
	require.NoError(t, err, "%s", built)

	for name, address := range map[string]string{
		"memory": "mem://tus",
		"local":  "file://" + filepath.ToSlash(filepath.Join(dir, "bucket")) + "?create=true&sync=false",
		"minio":  minioserver.Address(t),
	} {
		t.Run(name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), program, "-test.run", ownTests, "-test.v")
			c.Dir, c.Env = dir, append(os.Environ(), "OMNIBUCKET_TUS="+address)
			output, err := c.CombinedOutput()
			require.NoError(t, err, "%s", output)
			require.Equal(t, strings.Count(ownTests, "|")+1, strings.Count(string(output), "--- PASS"), "%s", output)
		})
	}
}

// copyModule copies a module of the cache, so that it can be changed.
func copyModule(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	require.NoError(t, filepath.WalkDir(to, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o700)
	}))
}

func copyFile(t *testing.T, from, to, more string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, append(text, more...), 0o600))
}

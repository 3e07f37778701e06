package tus

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/owntests"
)

// Tusd's end-to-end tests judge its server over the adapter: in a copy of tusd, the adapter takes
// the place of the store and the locks of files. The test downloads and builds all that tusd
// needs, and measures times, so that it runs only if OMNIBUCKET_TUSD_E2E is an address of a bucket:
//
//	OMNIBUCKET_TUSD_E2E='mem://tus' go test -C adapters/tus -run TestTusdsEndToEndTests -timeout 30m .
func TestTusdsEndToEndTests(t *testing.T) {
	address := os.Getenv("OMNIBUCKET_TUSD_E2E")
	if address == "" {
		t.Skip("OMNIBUCKET_TUSD_E2E is not set: the test builds tusd's command, which takes minutes")
	}
	own, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	run := func(in, name string, args ...string) string {
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir, c.Env = in, append(os.Environ(), "OMNIBUCKET_TUS="+address, "TUSD_BINARY="+filepath.Join(dir, "tusd.bin"))
		output, err := c.CombinedOutput()
		require.NoError(t, err, "%s %s: %s", name, args, output)
		return string(output)
	}
	judge := owntests.Copy(t, "github.com/tus/tusd/v2")
	judge.Add(t, "testdata/filestore.go.txt", "pkg/filestore/filestore.go")
	judge.Add(t, "testdata/filelocker.go.txt", "pkg/filelocker/filelocker.go")
	tusd := judge.Dir
	require.NoError(t, os.Remove(filepath.Join(tusd, "pkg", "filelocker", "filelocker_test.go")))
	run(tusd, "go", "mod", "edit",
		"-require", "github.com/omnibucket/storage@v0.0.0", "-replace", "github.com/omnibucket/storage="+own,
		"-require", "github.com/omnibucket/storage/adapters/tus@v0.0.0", "-replace", "github.com/omnibucket/storage/adapters/tus="+filepath.Join(own, "adapters", "tus"))
	run(tusd, "go", "mod", "tidy")
	run(tusd, "go", "build", "-o", filepath.Join(dir, "tusd.bin"), "./cmd/tusd")
	t.Log(run(tusd, "go", "test", "-count", "1", "-v", "./internal/e2e"))
}

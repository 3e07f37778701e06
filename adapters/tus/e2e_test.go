//go:build unix

package tus

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
)

// Tusd's end-to-end tests pass with its command over this adapter, in a copy of tusd with the file of
// docs/migrating/tusd.md. The test downloads tusd's modules and measures times, so it runs only with
// OMNIBUCKET_TUSD_E2E ("make tusd").
func TestTusdsEndToEndTests(t *testing.T) {
	if os.Getenv("OMNIBUCKET_TUSD_E2E") == "" {
		t.Skip("OMNIBUCKET_TUSD_E2E is not set: make tusd builds tusd's command, which takes minutes")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	run := func(t *testing.T, in string, env []string, name string, args ...string) string {
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir, c.Env = in, append(os.Environ(), env...)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		output, err := c.CombinedOutput()
		if c.Process != nil {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // tusd's tests may leave a server behind
		}
		require.NoError(t, err, "%s %s: %s", name, args, output)
		return string(output)
	}
	judge := owntests.Copy(t, "github.com/tus/tusd/v2")
	judge.Add(t, "testdata/composer.go.txt", "cmd/tusd/cli/composer.go")
	tusd := judge.Dir
	binary := filepath.Join(dir, "tusd.bin")
	run(t, tusd, nil, "go", "mod", "edit",
		"-require", "github.com/omnibucket/storage@v0.0.0", "-replace", "github.com/omnibucket/storage="+root,
		"-require", "github.com/omnibucket/storage/adapters/tus@v0.0.0", "-replace", "github.com/omnibucket/storage/adapters/tus="+filepath.Join(root, "adapters", "tus"))
	run(t, tusd, nil, "go", "mod", "tidy")
	run(t, tusd, nil, "go", "build", "-o", binary, "./cmd/tusd")

	for name, address := range map[string]string{
		"memory": "mem://tus",
		"local":  "file://" + filepath.ToSlash(filepath.Join(dir, "bucket")) + "?create=true&sync=false",
		"minio":  minioserver.Address(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(run(t, tusd,
				[]string{"TUSD_EXTRA_ARGS=-upload-dir=" + address, "TUSD_BINARY=" + binary}, "go", "test", "-count", "1", "-v", "./internal/e2e"))
		})
	}
}

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

// Tusd's own end-to-end tests pass if its command stores uploads by this adapter. The command is built from a copy of
// tusd with the file of docs/migrating/tusd.md. The test downloads tusd's modules and measures times, so it runs only
// with OMNIBUCKET_TUSD_E2E ("make tusd").
func TestTusdsEndToEndTests(t *testing.T) {
	if os.Getenv("OMNIBUCKET_TUSD_E2E") == "" {
		t.Skip("OMNIBUCKET_TUSD_E2E is not set: make tusd builds tusd's command, which takes minutes")
	}

	// Copy tusd, with the file that adds this adapter.
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	tusd := owntests.Copy(t, "github.com/tus/tusd/v2")
	tusd.Add(t, "testdata/composer.go.txt", "cmd/tusd/cli/composer.go")
	binary := filepath.Join(dir, "tusd.bin")

	// Build tusd's command with this adapter.
	const module = "github.com/omnibucket/storage"
	runGo(t, tusd.Dir, nil, "mod", "edit",
		"-require", module+"@v0.0.0",
		"-replace", module+"="+root,
		"-require", module+"/adapters/tus@v0.0.0",
		"-replace", module+"/adapters/tus="+filepath.Join(root, "adapters", "tus"))
	runGo(t, tusd.Dir, nil, "mod", "tidy")
	runGo(t, tusd.Dir, nil, "build", "-o", binary, "./cmd/tusd")

	tests := []struct {
		name    string
		address string
	}{
		{name: "memory", address: "mem://tus"},
		{name: "local", address: "file://" + filepath.ToSlash(filepath.Join(dir, "bucket")) + "?create=true&sync=false"},
		{name: "minio", address: minioserver.Address(t)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := []string{"TUSD_BINARY=" + binary, "TUSD_EXTRA_ARGS=-upload-dir=" + tt.address}
			t.Log(runGo(t, tusd.Dir, env, "test", "-count", "1", "-v", "./internal/e2e"))
		})
	}
}

// runGo runs the go command in a directory with these variables added to its environment, and returns the
// output.
func runGo(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	output, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		// Tusd's tests may leave a server behind, which is in the same process group.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	require.NoError(t, err, "go %s: %s", args, output)
	return string(output)
}

package testserver

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Need returns the address of a server that the environment names.
func TestNeedReturnsTheVariable(t *testing.T) {
	t.Setenv("OMNIBUCKET_TEST_MINIO", "http://127.0.0.1:40123")
	require.Equal(t, "http://127.0.0.1:40123", Need(t, "OMNIBUCKET_TEST_MINIO"))
}

// Program returns the path of a program that is installed.
func TestProgramReturnsThePath(t *testing.T) {
	path, err := exec.LookPath("go")
	require.NoError(t, err)
	require.Equal(t, path, Program(t, "go"))
}

// packageDir returns the folder of the test's package in the repository, and "…" outside of it.
func TestPackageDir(t *testing.T) {
	require.Equal(t, "internal/testing/testserver", packageDir())

	t.Chdir("../../../providers/s3")
	require.Equal(t, "providers/s3", packageDir())

	t.Chdir(t.TempDir())
	require.Equal(t, "…", packageDir())
}

// A test that needs a missing server or program is skipped, and fails if the environment requires
// all of them.
func TestNeedSkipsOrFails(t *testing.T) {
	const childVariable = "OMNIBUCKET_TESTSERVER_CHILD"

	// The test runs itself again in a child process, in which these calls end it.
	switch os.Getenv(childVariable) {
	case "server":
		Need(t, "OMNIBUCKET_TEST_MINIO")
	case "one of the servers":
		// If nothing is required, Offered only says that the server is missing.
		require.Empty(t, Offered(t, "OMNIBUCKET_TEST_MINIO"))
		Need(t, "OMNIBUCKET_TEST_MINIO")
	case "program":
		Program(t, "no-such-program")
	}

	const startServers = "go run -C tools/testservers . -- " +
		"go test -C internal/testing/testserver -tags omnibucket_sdks ."
	tests := []struct {
		missing string
		hint    string // in the output of the child
	}{
		{missing: "server", hint: startServers},
		{missing: "one of the servers", hint: startServers},
		{missing: "program", hint: "no-such-program is missing: install it"},
	}
	program, err := os.Executable()
	require.NoError(t, err)
	for _, tt := range tests {
		runChild := func(variables ...string) (output string, err error) {
			child := exec.CommandContext(t.Context(), program, "-test.v", "-test.run", "^"+t.Name()+"$")
			child.Env = append(os.Environ(), childVariable+"="+tt.missing, "OMNIBUCKET_TEST_MINIO=")
			child.Env = append(child.Env, variables...)
			data, err := child.CombinedOutput()
			return string(data), err
		}

		// If the environment requires nothing, the test is skipped.
		output, err := runChild(Required + "=")
		require.NoError(t, err, output)
		require.Contains(t, output, "--- SKIP: "+t.Name())
		require.Contains(t, output, tt.hint)

		// If the environment requires everything, the test fails.
		output, err = runChild(Required + "=1")
		require.Error(t, err, output)
		require.Contains(t, output, "--- FAIL: "+t.Name())
		require.Contains(t, output, tt.hint)
	}
}

// The script tools/scripts/tests requires every server and program. "make test-all", "make race" and .ci/run run
// it.
func TestMakeTestRequiresEveryServerAndProgram(t *testing.T) {
	script, err := os.ReadFile("../../../tools/scripts/tests")
	require.NoError(t, err)
	require.Contains(t, string(script), "\nexport "+Required+"=1")
}

// The function Further skips a test, unless the environment requires that all tests run.
func TestFurtherRunsIfRequired(t *testing.T) {
	t.Setenv(Required, "1")
	Further(t)

	isSkipped := false
	t.Run("not required", func(t *testing.T) {
		t.Setenv(Required, "")
		defer func() {
			isSkipped = t.Skipped()
		}()
		Further(t)
	})
	require.True(t, isSkipped)
}

// Sample returns the whole of the cases if everything is required, and otherwise only some of them.
func TestSampleIsWholeIfRequired(t *testing.T) {
	t.Setenv(Required, "1")
	require.Equal(t, "all", Sample("some", "all"))
	t.Setenv(Required, "")
	require.Equal(t, "some", Sample("some", "all"))
}

// Nightly skips a test unless OMNIBUCKET_NIGHTLY is set, even if everything is required.
func TestNightlyNeedsItsVariable(t *testing.T) {
	t.Setenv("OMNIBUCKET_NIGHTLY", "1")
	Nightly(t, "make layers")

	isSkipped := false
	t.Run("only required", func(t *testing.T) {
		t.Setenv("OMNIBUCKET_NIGHTLY", "")
		t.Setenv(Required, "1")
		defer func() {
			isSkipped = t.Skipped()
		}()
		Nightly(t, "make layers")
	})
	require.True(t, isSkipped)
}

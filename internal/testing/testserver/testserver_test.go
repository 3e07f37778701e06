package testserver

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNeedReturnsTheVariable(t *testing.T) {
	t.Setenv("OMNIBUCKET_TEST_MINIO", "http://127.0.0.1:40123")
	require.Equal(t, "http://127.0.0.1:40123", Need(t, "OMNIBUCKET_TEST_MINIO"))
}

func TestProgramReturnsThePath(t *testing.T) {
	path, err := exec.LookPath("go")
	require.NoError(t, err)
	require.Equal(t, path, Program(t, "go"))
}

// The printed command names the package of the test, or "…" outside of the repository.
func TestCommandNamesThePackage(t *testing.T) {
	require.Equal(t, "internal/testing/testserver", packageDir())
	t.Chdir("../../../providers/s3")
	require.Equal(t, "providers/s3", packageDir())
	t.Chdir(t.TempDir())
	require.Equal(t, "…", packageDir())
}

// Without a server or program, a test is skipped, unless the environment requires all of them.
func TestNeedSkipsOrFails(t *testing.T) {
	if what := os.Getenv("OMNIBUCKET_TESTSERVER_CHILD"); what == "server" {
		Need(t, "OMNIBUCKET_TEST_MINIO")
	} else if what == "one of the servers" {
		require.Empty(t, Offered(t, "OMNIBUCKET_TEST_MINIO"))
		Need(t, "OMNIBUCKET_TEST_MINIO")
	} else if what == "program" {
		Program(t, "no-such-program")
	}
	tests := []struct{ what, says string }{
		{"one of the servers", "go run -C tools/testservers . -- go test -C internal/testing/testserver -tags omnibucket_sdks ."},
		{"server", "go run -C tools/testservers . -- go test -C internal/testing/testserver -tags omnibucket_sdks ."},
		{"program", "no-such-program is missing: install it"},
	}
	for _, tt := range tests {
		for required, result := range map[string]string{"": "--- SKIP: ", "1": "--- FAIL: "} {
			program, err := os.Executable()
			require.NoError(t, err)
			child := exec.CommandContext(t.Context(), program, "-test.v", "-test.run", "^"+t.Name()+"$")
			child.Env = append(os.Environ(), "OMNIBUCKET_TESTSERVER_CHILD="+tt.what, "OMNIBUCKET_TEST_MINIO=", Required+"="+required)

			said, err := child.CombinedOutput()
			require.Equal(t, required == "", err == nil, string(said))
			require.Contains(t, string(said), result+t.Name())
			require.Contains(t, string(said), tt.says)
		}
	}
}

// The script tools/scripts/tests requires every server and program. "make test-all", "make race" and .ci/run run
// it.
func TestMakeTestRequiresEveryServerAndProgram(t *testing.T) {
	script, err := os.ReadFile("../../../tools/scripts/tests")
	require.NoError(t, err)
	require.Contains(t, string(script), "\nexport "+Required+"=1")
}

// Further skips a test, unless the environment requires everything.
func TestFurtherRunsIfRequired(t *testing.T) {
	t.Setenv(Required, "1")
	Further(t)
	ran := true
	t.Run("without", func(t *testing.T) {
		t.Setenv(Required, "")
		defer func() {
			ran = !t.Skipped()
		}()
		Further(t)
	})
	require.False(t, ran)
}

// If everything is required, a test with many cases runs all of them instead of a sample.
func TestSampleIsWholeIfRequired(t *testing.T) {
	t.Setenv(Required, "1")
	require.Equal(t, "all", Sample("some", "all"))
	t.Setenv(Required, "")
	require.Equal(t, "some", Sample("some", "all"))
}

// Nightly skips a test, unless OMNIBUCKET_NIGHTLY is set.
func TestNightlyNeedsItsVariable(t *testing.T) {
	t.Setenv("OMNIBUCKET_NIGHTLY", "1")
	Nightly(t, "make layers")
	ran := true
	t.Run("without", func(t *testing.T) {
		t.Setenv("OMNIBUCKET_NIGHTLY", "")
		t.Setenv(Required, "1")
		defer func() {
			ran = !t.Skipped()
		}()
		Nightly(t, "make layers")
	})
	require.False(t, ran)
}

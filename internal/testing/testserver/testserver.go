// Package testserver tells a test which servers and programs are available on this machine.
package testserver

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Required is the name of an environment variable. If it is set, a test fails if a server or
// program is missing. Otherwise the test is skipped. "make test-all" and .ci/run set it.
const Required = "OMNIBUCKET_TEST_REQUIRED"

// Need returns the value of an environment variable that tools/testservers sets. If it is not set,
// Need skips the test, or fails it if [Required] is set, with a message that says how to start the
// missing server.
func Need(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		missing(
			t,
			fmt.Sprintf(
				`it needs the server or program of %s: "make test-all" starts it, as does: go run -C tools/testservers . -- go test -C %s -tags omnibucket_sdks .`,
				variable,
				packageDir(),
			),
		)
	}
	return value
}

// Offered is like [Need], for a test that runs on all available servers. It returns "" if this
// server is not available and [Required] is not set.
func Offered(t *testing.T, variable string) string {
	t.Helper()
	if os.Getenv(variable) == "" && os.Getenv(Required) == "" {
		return ""
	}
	return Need(t, variable)
}

// Program returns the path of an installed program. If the program is missing, it skips the test,
// or fails it if [Required] is set.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, fmt.Sprintf(`%s is missing: install it; as root on Debian, "make test-all" does`, name))
	}
	return path
}

// Further skips the test unless [Required] is set, so that "go test ./..." ends soon. It is for a
// test that takes long, or that repeats other tests with another setting of a driver or server.
func Further(t *testing.T) {
	t.Helper()
	if os.Getenv(Required) == "" {
		t.Skipf(
			`it repeats other tests in another setting, or takes long: "make test-all" runs it, as does: %s=1 go test -C %s .`,
			Required,
			packageDir(),
		)
	}
}

// Slow skips the test if the flag -short is set, so that "make quick" ends soon. It is for a test
// that takes seconds, because it starts processes, waits for timers or runs many cases.
func Slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip(`it takes seconds: "make test" runs it`)
	}
}

// Sample returns full if the environment variable [Required] is set, and otherwise sample, which
// has only some of its values. It is for a test that takes long with all of them.
func Sample[T any](sample, full T) T {
	if os.Getenv(Required) == "" {
		return sample
	}
	return full
}

// Nightly skips the test unless OMNIBUCKET_NIGHTLY is set, as it is each night in CI. It is for a
// test that takes minutes on servers. command is the command that runs the test.
func Nightly(t *testing.T, command string) {
	t.Helper()
	if os.Getenv("OMNIBUCKET_NIGHTLY") == "" {
		t.Skipf("it takes minutes: %q runs it, and CI does each night", command)
	}
}

// Client returns an HTTP client that keeps no idle connections, because the conformance suite would
// report them.
func Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// missing skips the test for a reason, or fails it if [Required] is set.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(Required) != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// packageDir returns the directory of the package under test, which is the working directory,
// relative to the root of the repository. It returns "…" outside of the repository.
func packageDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return "…"
	}
	for root := dir; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "tools", "go.mod")); err == nil {
			return filepath.ToSlash(dir[len(root)+1:])
		}
	}
	return "…"
}

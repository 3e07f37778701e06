// Package testserver tells tests which servers and programs this machine has for them.
package testserver

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Required is the variable with which a test fails if a server or program is missing. "make test-all"
// and .ci/run set it. Without it, the test is skipped.
const Required = "OMNIBUCKET_TEST_REQUIRED"

// Need returns a variable that testservers sets. If it is not set, Need skips or fails the test, and
// says which command starts what the test needs.
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

// Offered is like Need for a test that goes through the servers that there are. If this one is not
// there, it returns "".
func Offered(t *testing.T, variable string) string {
	t.Helper()
	if os.Getenv(variable) == "" && os.Getenv(Required) == "" {
		return ""
	}
	return Need(t, variable)
}

// Program returns the path of a program. If the machine does not have it, Program skips or fails the
// test.
func Program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, fmt.Sprintf(`%s is missing: install it; as root on Debian, "make test-all" does`, name))
	}
	return path
}

// Further is for a test that repeats others in another setting of a driver or server, or takes long: without
// [Required], it is skipped, so that "go test ./..." answers soon.
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

// Slow is for a test that takes seconds, because it starts processes, waits for timers or plays many cases. With
// -short it is skipped, so that "make quick" answers soon.
func Slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip(`it takes seconds: "make test" runs it`)
	}
}

// Sample returns whole if everything is required, and otherwise sample: a part of a sweep that takes long.
func Sample[T any](sample, whole T) T {
	if os.Getenv(Required) == "" {
		return sample
	}
	return whole
}

// Nightly is for a test that takes minutes on servers. Without the variable it is skipped, also in "make
// test"; command runs it, and CI does each night.
func Nightly(t *testing.T, command string) {
	t.Helper()
	if os.Getenv("OMNIBUCKET_NIGHTLY") == "" {
		t.Skipf("it takes minutes: %q runs it, and CI does each night", command)
	}
}

// Client returns a client without idle connections, which the suite would report.
func Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(Required) != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// packageDir returns the directory of the package under test, relative to the root of the
// repository. Tests run in the package's directory.
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

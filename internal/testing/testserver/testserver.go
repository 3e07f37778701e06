// Package testserver tells tests which servers and programs testservers has started.
package testserver

import (
	"os"
	"path/filepath"
	"testing"
)

// Need returns a variable that testservers sets. If it is not set, Need fails the test and says
// which command starts what the test needs.
func Need(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf(`%s is not set: this test needs a real server or program; "make test" starts it, as does: go run -C testservers . -- go test -C %s .`, variable, packageDir())
	}
	return value
}

// packageDir returns the directory of the package under test, relative to the root of the
// repository. Tests run in the package's directory.
func packageDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return "…"
	}
	for root := dir; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "testservers", "go.mod")); err == nil {
			return filepath.ToSlash(dir[len(root)+1:])
		}
	}
	return "…"
}

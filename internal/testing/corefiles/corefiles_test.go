package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// testdata/files.txt has a list of source files for each of a few simple calls. These are the files whose code the call
// runs. The test fails if a call runs code of more files.
func TestFilesOf(t *testing.T) {
	testserver.Further(t) // it compiles all drivers again, with counters
	const module = "github.com/omnibucket/storage"
	dir := t.TempDir()
	binary := filepath.Join(dir, "corefiles")
	packages := []string{module, module + "/engine", module + "/internal/testing/corefiles"}
	run(t, nil, "go", "build", "-cover", "-covermode=atomic", "-coverpkg="+strings.Join(packages, ","),
		"-o", binary, ".")

	// The program makes one call in each process, and counts the statements that run.
	var output strings.Builder
	for _, name := range slices.Sorted(maps.Keys(callsByName)) {
		counters := t.TempDir()
		profile := filepath.Join(dir, "profile")
		run(t, []string{"GOCOVERDIR=" + counters}, binary, name)
		run(t, nil, "go", "tool", "covdata", "textfmt", "-i="+counters, "-o="+profile)
		files := filesOf(t, profile)
		fmt.Fprintf(&output, "%s: %d files\n\t%s\n", name, len(files), strings.Join(files, "\n\t"))
	}

	golden := filepath.Join("testdata", "files.txt")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(output.String()), 0o644))
	}

	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), output.String(),
		`"UPDATE=1 go test ./internal/testing/corefiles" writes the list`)
}

// run runs a program in the environment of the test, with the variables of env added.
func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// covered matches a line of a profile whose count is not 0. The line has the file, the range of the statements,
// their number and the count.
var covered = regexp.MustCompile(`(?m)^github\.com/omnibucket/storage/` +
	`((?:engine/)?[a-z0-9_]+\.go):\S+ \d+ ([1-9]\d*)$`)

// filesOf returns the files with a statement that has run.
func filesOf(t *testing.T, profile string) []string {
	text, err := os.ReadFile(profile)
	require.NoError(t, err)
	files := map[string]bool{}
	for _, line := range covered.FindAllSubmatch(text, -1) {
		files[string(line[1])] = true
	}
	return slices.Sorted(maps.Keys(files))
}

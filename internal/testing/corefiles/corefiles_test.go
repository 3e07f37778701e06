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

func TestFilesOf(t *testing.T) {
	testserver.Further(t) // it compiles all drivers again, with counters
	dir := t.TempDir()
	binary := filepath.Join(dir, "corefiles")
	run(t, nil, "go", "build", "-cover", "-covermode=atomic", "-coverpkg=github.com/omnibucket/storage,github.com/omnibucket/storage/engine,github.com/omnibucket/storage/internal/testing/corefiles", "-o", binary, ".")
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
	require.Equal(t, string(want), output.String(), `"UPDATE=1 go test ./internal/testing/corefiles" writes the list`)
}

func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), env...)
	data, err := c.CombinedOutput()
	require.NoError(t, err, "%s", data)
}

// covered is a line of a profile: file, from, to, statements, count.
var covered = regexp.MustCompile(`(?m)^github\.com/omnibucket/storage/((?:engine/)?[a-z0-9_]+\.go):\S+ \d+ ([1-9]\d*)$`)

func filesOf(t *testing.T, profile string) []string {
	text, err := os.ReadFile(profile)
	require.NoError(t, err)
	files := map[string]bool{}
	for _, line := range covered.FindAllSubmatch(text, -1) {
		files[string(line[1])] = true
	}
	return slices.Sorted(maps.Keys(files))
}

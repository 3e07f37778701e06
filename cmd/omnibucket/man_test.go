//go:build man

package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// The manual pages show the help as it is: patterns keep their asterisks, and tables their lines.
func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795219200")
	t.Setenv("MANWIDTH", "200")
	dir := t.TempDir()
	s := newShell(t)
	s.run("man", dir)

	require.Contains(t, manualPage(t, dir, "omnibucket-sync"), "'*.jpg'")
	require.Contains(t, manualPage(t, dir, "omnibucket-cp"), "[a-z] matches one of several")
	require.Regexp(t, `take "\*", "\?" and "\[" in keys`, manualPage(t, dir, "omnibucket-cp"))
	exitCode3 := `(?m)^ +3    the object, bucket, source file or source directory does not exist, or nothing\n` +
		` +matches wildcards$`
	require.Regexp(t, exitCode3, manualPage(t, dir, "omnibucket"))
	require.Contains(t, manualPage(t, dir, "omnibucket-serve"), "Nov 2026")
}

// manualPage returns a manual page of dir as the program man prints it.
func manualPage(t *testing.T, dir, name string) string {
	t.Helper()
	man := testserver.Program(t, "man")
	page, err := exec.CommandContext(t.Context(), man, "-E", "ascii", "-l", filepath.Join(dir, name+".1")).Output()
	require.NoError(t, err)
	return string(page)
}

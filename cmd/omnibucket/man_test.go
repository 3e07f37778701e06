//go:build man

package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// The pages show the help as it is: patterns keep their asterisks, and tables their lines.
func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795219200")
	t.Setenv("MANWIDTH", "200")
	dir := t.TempDir()
	s := newShell(t)
	s.ok("man", dir)

	page := func(name string) string {
		out, err := exec.CommandContext(t.Context(), testserver.Program(t, "man"), "-E", "ascii", "-l", filepath.Join(dir, name+".1")).Output()
		require.NoError(t, err)
		return string(out)
	}
	require.Contains(t, page("omnibucket-sync"), "'*.jpg'")
	require.Contains(t, page("omnibucket-cp"), "[a-z] matches one of several")
	require.Regexp(t, `take "\*", "\?" and "\[" in keys`, page("omnibucket-cp"))
	require.Regexp(t, `(?m)^ +3    the object, bucket, source file or source directory does not exist, or nothing\n +matches wildcards$`, page("omnibucket"))
	require.Contains(t, page("omnibucket-serve"), "Nov 2026")
}

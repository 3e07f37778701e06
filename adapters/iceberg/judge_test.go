package iceberg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
)

// skippedTest is the one test of iceberg-go's files in memory that a bucket cannot pass. It needs a file "root" and a
// file "root/child.txt" at the same time. FS shows "root" as a directory.
const skippedTest = "^TestMemIO_WalkDirTreatsFileRootAsFile$"

// Iceberg-go's own tests of files in memory pass with this adapter on each store. They run in a copy of its package io,
// in which they open the adapter.
func TestIcebergsOwnTests(t *testing.T) {
	const module = "github.com/apache/iceberg-go"
	// wantPassed is the number of tests of files in memory, without skippedTest.
	const wantPassed = 12
	copied := owntests.Copy(t, module, "go.mod", "io", "internal")

	// Keep only the file with the tests of files in memory.
	testFiles, err := filepath.Glob(filepath.Join(copied.Dir, "io", "*_test.go"))
	require.NoError(t, err)
	for _, file := range testFiles {
		if filepath.Base(file) == "mem_test.go" {
			useAdapter(t, file)
			continue
		}
		require.NoError(t, os.Remove(file))
	}
	copied.Add(t, "testdata/omnibucket_test.go.txt", "io/omnibucket_test.go")

	copied.Run(t, module+"/io", "OMNIBUCKET_ICEBERG", wantPassed,
		"-test.run", "^TestMemIO_", "-test.skip", skippedTest)
}

// useAdapter makes the tests in a file get their file systems from the function that omnibucket_test.go.txt adds.
func useAdapter(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.Remove(file)) // the copy is read-only
	changed := strings.ReplaceAll(string(text), "icebergio.NewMemFS()", "newMemFS()")
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
}

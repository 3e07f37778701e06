package iceberg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
)

// leftOut is the one test of iceberg-go's files in memory that needs what a bucket as a file system
// does not show: a file "root" beside "root/child.txt". FS shows the directory.
const leftOut = "^TestMemIO_WalkDirTreatsFileRootAsFile$"

// Iceberg-go's own tests of its files in memory pass on each store, in a copy that uses this adapter.
func TestIcebergsOwnTests(t *testing.T) {
	judge := owntests.Copy(t, "github.com/apache/iceberg-go", "go.mod", "io", "internal")
	tests, err := filepath.Glob(filepath.Join(judge.Dir, "io", "*_test.go"))
	require.NoError(t, err)
	for _, file := range tests {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.Remove(file))
		if filepath.Base(file) == "mem_test.go" {
			text := strings.ReplaceAll(string(text), "icebergio.NewMemFS()", "newMemFS()")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		}
	}
	judge.Add(t, "testdata/omnibucket_test.go.txt", "io/omnibucket_test.go")
	judge.Run(t, "github.com/apache/iceberg-go/io", "OMNIBUCKET_ICEBERG", 12, "-test.run", "^TestMemIO_",
		"-test.skip", leftOut)
}

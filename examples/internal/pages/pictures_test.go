package pages

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPicturesAreSmallAndShown checks the pictures that "make pictures" takes: together they are
// below 1 MB, and a document shows each.
func TestPicturesAreSmallAndShown(t *testing.T) {
	// Read all documents.
	root := filepath.Join("..", "..", "..")
	var documents strings.Builder
	for _, dir := range []string{"docs", "examples"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".md" {
				return err
			}
			text, err := os.ReadFile(path)
			documents.Write(text)
			return err
		}))
	}

	// Each picture is in one of them.
	pictures, err := filepath.Glob(filepath.Join(root, "docs", "pictures", "*.webp"))
	require.NoError(t, err)
	require.NotEmpty(t, pictures)
	var total int64 // in bytes
	for _, path := range pictures {
		info, err := os.Stat(path)
		require.NoError(t, err)
		total += info.Size()
		require.Contains(t, documents.String(), "pictures/"+filepath.Base(path)+`"`, "no document shows it")
	}
	require.Less(t, total, int64(1_000_000))
}

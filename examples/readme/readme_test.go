package readme

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

const root = "../.."

// shown is code in a document that names the file it stands in.
var shown = regexp.MustCompile("(?s)<!-- ([a-z/_]+\\.go) -->\\n```go\\n(.*?)```")

func TestCodeInTheReadmeCompiles(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	blocks := shown.FindAllSubmatch(readme, -1)
	require.Len(t, blocks, 3)
	require.Equal(t, len(blocks), strings.Count(string(readme), "```go\n"), "each block of Go names its file")
	for _, block := range blocks {
		source, err := os.ReadFile(filepath.Join(root, string(block[1])))
		require.NoError(t, err)
		require.Equal(t, string(source), string(block[2]), "README.md shows %s as it is", block[1])
	}
}

func TestStoresOfTheReadmeOpen(t *testing.T) {
	for store := range photos {
		b, err := openPhotos(t.Context(), store)
		require.NoError(t, err, store)
		require.NoError(t, storage.Close(b))
	}
	spaces, err := openPhotos(t.Context(), "DigitalOcean Spaces")
	require.NoError(t, err)
	address, err := spaces.PublicURL("a b.jpg")
	require.NoError(t, err)
	require.Equal(t, "https://photos.nyc3.cdn.digitaloceanspaces.com/a%20b.jpg", address)
}

var (
	code = regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
)

// TestLinks finds links to files that are not there.
func TestLinks(t *testing.T) {
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, target := range link.FindAllSubmatch(code.ReplaceAll(text, nil), -1) {
			to := string(target[1])
			if strings.Contains(to, "://") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(to)))
			require.NoError(t, err, "%s links to %s", path, to)
		}
		return nil
	}))
}

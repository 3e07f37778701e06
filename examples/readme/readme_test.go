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
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	_ "github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3"
)

const root = "../.."

var (
	// block is Go in a document. The comment before it may name a file that has it.
	block   = regexp.MustCompile("(?s)(?:<!-- ([a-z0-9/_]+\\.go) -->\\n)?```go\\n(.*?)```")
	changed = regexp.MustCompile("(?s)<!-- ([a-z0-9/_]+\\.go) -->\\n```diff\\n(.*?)```")
	added   = regexp.MustCompile(`(?m)^\+(.*)$`)
	comment = regexp.MustCompile(`(^|\s+)//( .*)?$`)
)

// Go in a document is a part of a Go file of the repository, so that the document cannot have code that does not
// compile. The two may differ in indentation and in comments. If a diff has the name of a file, the file has each line
// that the diff adds.
func TestCodeInTheDocsCompiles(t *testing.T) {
	files := map[string]string{}
	walk(t, ".go", func(path string, text []byte) {
		files[path] = lines(string(text))
	})
	walk(t, ".md", func(path string, text []byte) {
		// The file of a block of Go may be named or not.
		for _, match := range block.FindAllStringSubmatch(string(text), -1) {
			file := match[1]
			code := match[2]
			if file != "" {
				require.Contains(t, files[file], lines(code), "%s shows %s as it is", path, file)
				continue
			}
			require.True(t, inAny(files, lines(code)), "%s shows code that no file has:\n%s", path, code)
		}

		// The file of a diff is named.
		for _, match := range changed.FindAllStringSubmatch(string(text), -1) {
			file := match[1]
			diff := match[2]
			for _, line := range added.FindAllStringSubmatch(diff, -1) {
				require.Contains(t, files[file], lines(line[1]), "%s shows %s as it is", path, file)
			}
		}
	})
}

// The blocks of these guides, or those of one folder, make whole files, so that a reader who copies them has what compiles.
func TestGuidesShowWholeFiles(t *testing.T) {
	for guide, language := range map[string]string{"docs/testing-your-backend.md": "", "docs/getting-started.md": "", "docs/files-of-users.md": "examples/avatars/"} {
		blocks := map[string]string{}
		for _, match := range block.FindAllStringSubmatch(read(t, guide), -1) {
			require.NotEmpty(t, match[1], "%s shows code without the name of its file", guide)
			if strings.HasPrefix(match[1], language) {
				blocks[match[1]] += strings.TrimPrefix(lines(match[2]), "\n")
			}
		}
		for file, code := range blocks {
			require.Equal(t, lines(read(t, file)), "\n"+code, "%s shows parts of %s", guide, file)
		}
	}
}

func inAny(files map[string]string, excerpt string) bool {
	for _, text := range files {
		if strings.Contains(text, excerpt) {
			return true
		}
	}
	return false
}

// lines returns code without indentation, comments and empty lines.
func lines(code string) string {
	var result []string
	for line := range strings.Lines(code) {
		line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""))
		if line != "" {
			result = append(result, line)
		}
	}
	return "\n" + strings.Join(result, "\n") + "\n"
}

// Each address of the table in docs/stores.md opens, and the table says whether it has conditions.
func TestStoresOfTheDocsOpen(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z0-9]+://[^`]+)` \\| `[^`]+` \\| (yes|no) \\|$")
	matches := row.FindAllStringSubmatch(read(t, "docs/stores.md"), -1)
	require.Greater(t, len(matches), 20)

	t.Setenv("STORAGE_EMULATOR_HOST", "localhost:1") // no credentials of Google
	t.Setenv("AZURE_STORAGE_KEY", "a2V5")
	for _, match := range matches {
		address := strings.Replace(match[1], "/var/data", t.TempDir(), 1)
		wantConditions := match[2] == "yes"

		bucket, err := storage.Open(t.Context(), address)
		require.NoError(t, err, address)
		conditions := storage.Supports(bucket, storage.ConditionalCreate|storage.ConditionalUpdate)
		require.Equal(t, wantConditions, conditions, address)
		require.NoError(t, storage.Close(bucket))
	}
}

func TestPublicURLOfASpace(t *testing.T) {
	bucket, err := storage.Open(t.Context(), "s3://photos?endpoint=https://nyc3.digitaloceanspaces.com&public=true")
	require.NoError(t, err)
	address, err := bucket.PublicURL("a b.jpg")
	require.NoError(t, err)
	require.Equal(t, "https://photos.nyc3.digitaloceanspaces.com/a%20b.jpg", address)
}

var (
	code    = regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	link    = regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Each link of a document leads to a file of the repository, and to a heading of this file if the link names one.
func TestLinks(t *testing.T) {
	walk(t, ".md", func(path string, text []byte) {
		for _, match := range link.FindAllSubmatch(code.ReplaceAll(text, nil), -1) {
			target := string(match[1])
			anchor := string(match[2])
			if strings.Contains(target, ":") { // a link to another site
				continue
			}

			// A link without a file leads to a heading of the same document.
			file := filepath.Join(root, path)
			if target != "" {
				file = filepath.Join(filepath.Dir(file), filepath.FromSlash(target))
			}
			_, err := os.Stat(file)
			require.NoError(t, err, "%s links to %s", path, target)
			if anchor != "" {
				require.Contains(t, anchors(t, file), anchor, "%s links to %s", path, target)
			}
		}
	})
}

// anchors returns the anchors of a document's headings, as GitHub makes them.
func anchors(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var all []string
	for _, match := range heading.FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// walk calls do with each file of the repository with this extension, and its path from the root.
func walk(t *testing.T, ext string, do func(path string, text []byte)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ext {
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		relative, err := filepath.Rel(root, path)
		require.NoError(t, err)
		do(filepath.ToSlash(relative), text)
		return nil
	}))
}

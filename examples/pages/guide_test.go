package pages

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shown matches code in a document that names its source file.
var shown = regexp.MustCompile("(?s)<!-- ([a-z/_]+\\.(?:go|js)) -->\n```(?:go|js)\n(.*?)```")

// The code in the guide is that of the examples.
func TestGuideShowsTheExamples(t *testing.T) {
	root := filepath.Join("..", "..")
	guide, err := os.ReadFile(filepath.Join(root, "docs", "files-of-users.md"))
	require.NoError(t, err)
	blocks := shown.FindAllSubmatch(guide, -1)
	require.Len(t, blocks, 13)
	require.Equal(t, len(blocks), strings.Count(string(guide), "```go\n")+strings.Count(string(guide), "```js\n"), "each block of code names its file")
	for _, block := range blocks {
		source, err := os.ReadFile(filepath.Join(root, string(block[1])))
		require.NoError(t, err)
		require.Contains(t, string(source), string(block[2]), "%s has what the guide shows", block[1])
	}
}

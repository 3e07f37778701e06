package explain

import (
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each hint of the library that shellHints replaces still occurs in the code of the library, word
// for word.
func TestHintsReplaceThoseOfTheLibrary(t *testing.T) {
	// Collect the code of the library, without its tests and commands.
	var library strings.Builder
	root := os.DirFS("../../../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "cmd" || d.Name() == "tools" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			text, err := fs.ReadFile(root, path)
			library.Write(text)
			return err
		}
		return nil
	})
	require.NoError(t, err)

	// A long hint is in several literals. Join them here.
	code := regexp.MustCompile(`" \+\n\t+"`).ReplaceAllString(library.String(), "")
	for hint := range shellHints {
		require.True(t, strings.Contains(code, strconv.Quote(hint)), hint)
	}
}

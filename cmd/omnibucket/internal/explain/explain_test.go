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

// Each hint for a shell replaces a hint of the library. If the library changed its text, a user of the shell would
// see Go names or no hint.
func TestHintsReplaceThoseOfTheLibrary(t *testing.T) {
	var library strings.Builder
	root := os.DirFS("../../../..")
	require.NoError(t, fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
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
	}))
	// A long hint is in several literals, which are joined here.
	code := regexp.MustCompile(`" \+\n\t+"`).ReplaceAllString(library.String(), "")
	for hint := range shellHints {
		require.True(t, strings.Contains(code, strconv.Quote(hint)), hint)
	}
}

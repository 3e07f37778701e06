package storage_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The package comment lists each exported function under a task, because go doc lists many of them
// under the type of their result.
func TestPackageCommentHasEveryFunction(t *testing.T) {
	mode := parser.ParseComments | parser.PackageClauseOnly
	file, err := parser.ParseFile(token.NewFileSet(), "storage.go", nil, mode)
	require.NoError(t, err)
	comment := file.Doc.Text()
	for _, decl := range declarations(t, ".") {
		isMethod := decl.Recv != nil
		if !isMethod {
			name := decl.Name.Name
			require.True(t, strings.Contains(comment, "["+name+"]"), name)
		}
	}
}

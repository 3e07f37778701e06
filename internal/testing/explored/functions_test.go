package explored

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the folder of the module.
const root = "../../.."

// folders are the packages whose functions may make several requests, or decide by what they read before.
var folders = strings.Fields(`
	. transfer uploads uploads/sqlrecords lease commit s3server
	layers/mirror layers/overlay layers/encrypt layers/diskcache
`)

// parse returns the declarations of functions in the files of a folder.
func parse(t *testing.T, folder string, tests bool) (found []*ast.FuncDecl) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") != tests {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				found = append(found, f)
			}
		}
	}
	return found
}

// nameOf returns the name of an exported function, or of an exported method of any type, whose first parameter is a
// context. For any other function it returns "".
func nameOf(f *ast.FuncDecl) string {
	if !f.Name.IsExported() || len(f.Type.Params.List) == 0 {
		return ""
	}
	first, ok := f.Type.Params.List[0].Type.(*ast.SelectorExpr)
	if !ok || first.Sel.Name != "Context" {
		return ""
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	id, ok := receiver.(*ast.Ident)
	if !ok {
		return ""
	}
	return id.Name + "." + f.Name.Name
}

// functions.txt lists each function that takes a context, and so may make requests, with the tests that explore the
// orders of its requests or a sentence why it needs none.
func TestFunctionsHaveASceneOrAReason(t *testing.T) {
	// Read what functions.txt says of each function: names of tests, or "-" and a sentence.
	text, err := os.ReadFile("functions.txt")
	require.NoError(t, err)
	listed := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		require.NotContains(t, listed, name)
		listed[name] = strings.TrimSpace(value)
	}

	// Find the functions and the tests that exist.
	functions := make(map[string]bool)
	tests := make(map[string]bool)
	for _, folder := range folders {
		for _, f := range parse(t, folder, false) {
			if name := nameOf(f); name != "" && isReached(folder, name) {
				functions[path.Base(folder)+"."+name] = true
			}
		}
		for _, f := range parse(t, folder, true) {
			tests[f.Name.Name] = true
		}
	}

	// Each function is listed, and each name in the list exists.
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		require.NotEmpty(t, listed[name],
			"%s is not in functions.txt: add its scene, or - and a sentence why", name)
	}
	for name, value := range listed {
		require.True(t, functions[name], "%s is in functions.txt, and does not exist", name)
		if strings.HasPrefix(value, "- ") {
			continue
		}
		for test := range strings.FieldsSeq(value) {
			require.True(t, tests[test], "%s: there is no test %s", name, test)
		}
	}
}

// isReached reports whether users can call a function. They call the methods of an unexported type if it implements
// an interface, as the root's buckets and the layers do.
func isReached(folder, name string) bool {
	switch folder {
	case ".":
		return ast.IsExported(name) || strings.HasPrefix(name, "front.")
	case "s3server", "uploads":
		return ast.IsExported(name)
	}
	return true
}

package readme

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table in docs/options.md says which functions take which options. It must agree with the types in the code, so
// the test makes the same table of the code.
func TestOptionsFit(t *testing.T) {
	// Make a row for the options of each type, with the functions that take this type.
	types := parseOptions(t)
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(types.made)) {
		options := types.made[name]
		functions := types.functions(name)
		require.NotEmpty(t, functions, name)
		rows = append(rows, "| "+quoted(options)+" | "+quoted(functions)+" |")
	}
	slices.Sort(rows)

	// The table of the page ends at an empty line.
	_, page, ok := strings.Cut(read(t, "docs/options.md"), "| option | fits |\n|---|---|\n")
	require.True(t, ok)
	table, _, _ := strings.Cut(page, "\n\n")
	require.Equal(t, strings.Join(rows, "\n"), table)
}

// optionTypes has the types of options of package storage, by name.
type optionTypes struct {
	embeds map[string][]string // types that a type combines
	made   map[string][]string // options that have the type
	takers map[string][]string // functions and methods that take the type
}

// parseOptions returns the types of options that the files of the package declare.
func parseOptions(t *testing.T) *optionTypes {
	t.Helper()
	types := &optionTypes{embeds: map[string][]string{}, made: map[string][]string{}, takers: map[string][]string{}}
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, types.add)
	}
	return types
}

// add adds the exported function, or the exported interface with its methods, that a node declares. It returns whether
// the node may contain others.
func (o *optionTypes) add(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Recv == nil && n.Name.IsExported() {
			o.addFunction(n.Name.Name, n.Type)
		}
		return false
	case *ast.TypeSpec:
		combined, ok := n.Type.(*ast.InterfaceType)
		if !ok || !n.Name.IsExported() || strings.HasSuffix(n.Name.Name, "Core") {
			return false
		}
		for _, member := range combined.Methods.List {
			if method, ok := member.Type.(*ast.FuncType); ok {
				o.addFunction(member.Names[0].Name, method)
			} else if embedded, ok := member.Type.(*ast.Ident); ok && isOption(n.Name.Name) {
				o.embeds[n.Name.Name] = append(o.embeds[n.Name.Name], embedded.Name)
			}
		}
	}
	return true
}

// addFunction adds a function that makes an option, or takes options.
func (o *optionTypes) addFunction(name string, f *ast.FuncType) {
	if !ast.IsExported(name) {
		return
	}
	if f.Results != nil && len(f.Results.List) == 1 {
		if result, ok := f.Results.List[0].Type.(*ast.Ident); ok && isOption(result.Name) {
			o.made[result.Name] = append(o.made[result.Name], name)
			return
		}
	}
	if len(f.Params.List) == 0 {
		return
	}
	last, ok := f.Params.List[len(f.Params.List)-1].Type.(*ast.Ellipsis)
	if !ok {
		return
	}
	if param, ok := last.Elt.(*ast.Ident); ok && isOption(param.Name) {
		o.takers[param.Name] = append(o.takers[param.Name], name)
	}
}

// functions returns the functions that take an option of this type, sorted.
func (o *optionTypes) functions(name string) []string {
	all := slices.Clone(o.takers[name])
	for _, embedded := range o.embeds[name] {
		all = append(all, o.functions(embedded)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func isOption(name string) bool { return strings.HasSuffix(name, "Option") }

// quoted returns the names in code quotes, sorted and each once.
func quoted(names []string) string {
	slices.Sort(names)
	return "`" + strings.Join(slices.Compact(names), "` `") + "`"
}

// Package structure finds types of this module that inherit from other types.
//
//	type walker struct {
//		*store // a reader cannot tell which of 150 methods a walker uses
//	}
//
// A struct must give a name to each type that it uses. It may embed only an interface, a type of
// another module, a type without methods, a struct that has only exported fields, or an
// Unimplemented type, which is made to be embedded. Tests may embed any type.
package structure

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

const module = "github.com/omnibucket/storage"

// Analyzer reports an embedded concrete type of this module. It reports nothing in other modules.
var Analyzer = &analysis.Analyzer{
	Name:     "structure",
	Doc:      "report inheritance between concrete types",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

// run checks the fields of each struct in a package of this module, unless its type is listed in
// allowed.
func run(pass *analysis.Pass) (any, error) {
	if !isOurs(pass.Pkg) {
		return nil, nil
	}

	files := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	files.Preorder([]ast.Node{(*ast.TypeSpec)(nil)}, func(n ast.Node) {
		spec := n.(*ast.TypeSpec)
		if isTest(pass, spec.Pos()) {
			return
		}
		name := strings.TrimSuffix(pass.Pkg.Path(), "_test") + "." + spec.Name.Name
		if _, isAllowed := allowed[name]; isAllowed {
			return
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			checkFields(pass, spec.Name.Name, s)
		}
	})
	return nil, nil
}

// checkFields reports each embedded field by which a struct inherits methods. name is the name of the struct.
func checkFields(pass *analysis.Pass, name string, s *ast.StructType) {
	for _, field := range s.Fields.List {
		if len(field.Names) > 0 {
			continue
		}
		if t := pass.TypesInfo.TypeOf(field.Type); isInherited(t) {
			pass.Reportf(
				field.Pos(), "%s inherits from %s: give the field a name", name,
				types.TypeString(t, types.RelativeTo(pass.Pkg)),
			)
		}
	}
}

// isInherited reports whether a struct must not embed t, a type of this module with methods and not
// only exported fields.
//
// The types named Unimplemented… are made for embedding.
func isInherited(t types.Type) bool {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || types.IsInterface(named) {
		return false
	}
	if !isOurs(named.Obj().Pkg()) || strings.HasPrefix(named.Obj().Name(), "Unimplemented") {
		return false
	}

	hasMethods := types.NewMethodSet(types.NewPointer(named)).Len() > 0
	return hasMethods && !isRecord(named)
}

// isRecord reports whether t is a struct with only exported fields.
func isRecord(t *types.Named) bool {
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for field := range s.Fields() {
		if !field.Exported() {
			return false
		}
	}
	return true
}

func isTest(pass *analysis.Pass, pos token.Pos) bool {
	return strings.HasSuffix(pass.Fset.Position(pos).Filename, "_test.go")
}

// isOurs reports whether a package is one of this module.
func isOurs(p *types.Package) bool {
	if p == nil {
		return false
	}
	return p.Path() == module || strings.HasPrefix(p.Path(), module+"/") || strings.HasPrefix(p.Path(), module+"_test")
}

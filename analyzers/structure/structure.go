// Package structure finds types of this module that inherit from other types, and types and folders
// that are too large.
//
//	type walker struct {
//		*store // a reader cannot tell which of 150 methods a walker uses
//	}
//
// A struct must give a name to each type that it uses. It may embed only an interface, a type of
// another module, a type without methods, a struct that has only exported fields, or an
// Unimplemented type, which is made to be embedded. A type has at most 40 methods, and a folder at
// most 45 files, without tests.
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

const (
	module     = "github.com/omnibucket/storage"
	maxMethods = 40
	maxFiles   = 45
)

// Analyzer reports an embedded concrete type of this module, a type with more than 40 methods, and a
// folder with more than 45 files. It reports nothing in other modules.
var Analyzer = &analysis.Analyzer{
	Name:     "structure",
	Doc:      "report inheritance between concrete types, large method sets and large folders",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !isOurs(pass.Pkg) {
		return nil, nil
	}
	checkFiles(pass)
	files := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	files.Preorder([]ast.Node{(*ast.TypeSpec)(nil)}, func(n ast.Node) {
		spec := n.(*ast.TypeSpec)
		if _, ok := allowed[strings.TrimSuffix(pass.Pkg.Path(), "_test")+"."+spec.Name.Name]; ok {
			return
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			checkFields(pass, spec.Name.Name, s)
		}
		if t := pass.TypesInfo.Defs[spec.Name]; t != nil {
			checkMethods(pass, spec, t.Type())
		}
	})
	return nil, nil
}

// checkFiles reports a folder with too many files. It counts the files of all operating systems,
// but not tests.
func checkFiles(pass *analysis.Pass) {
	var all []string
	for _, f := range pass.Files {
		all = append(all, pass.Fset.File(f.Pos()).Name())
	}
	n := 0
	for _, name := range append(all, pass.IgnoredFiles...) {
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			n++
		}
	}
	if n > maxFiles {
		pass.Reportf(pass.Files[0].Package, "the folder has %d files, more than %d: divide it by subject", n, maxFiles)
	}
}

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

// isInherited reports whether t is a type that a struct must not embed.
func isInherited(t types.Type) bool {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || types.IsInterface(named) || !isOurs(named.Obj().Pkg()) ||
		strings.HasPrefix(named.Obj().Name(), "Unimplemented") {
		return false
	}
	return types.NewMethodSet(types.NewPointer(named)).Len() > 0 && !isRecord(named)
}

func isRecord(named *types.Named) bool {
	s, ok := named.Underlying().(*types.Struct)
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

// checkMethods reports a type with too many methods. It counts methods that are written in this
// module, including those of embedded interfaces. It does not count methods that tests add or that
// come from an Unimplemented type.
func checkMethods(pass *analysis.Pass, spec *ast.TypeSpec, t types.Type) {
	if types.IsInterface(t) {
		return
	}
	inTest := isTest(pass, spec.Pos())
	n := 0
	for method := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		if isOurs(method.Obj().Pkg()) && !isUnimplemented(method) && (inTest || !isTest(pass, method.Obj().Pos())) {
			n++
		}
	}
	if n > maxMethods {
		pass.Reportf(spec.Pos(), "%s has %d methods, more than %d: divide it by subject", spec.Name.Name, n, maxMethods)
	}
}

func isUnimplemented(method *types.Selection) bool {
	of := method.Obj().(*types.Func).Signature().Recv().Type()
	if p, ok := of.(*types.Pointer); ok {
		of = p.Elem()
	}
	named, ok := of.(*types.Named)
	return ok && strings.HasPrefix(named.Obj().Name(), "Unimplemented")
}

func isTest(pass *analysis.Pass, pos token.Pos) bool {
	return strings.HasSuffix(pass.Fset.Position(pos).Filename, "_test.go")
}

func isOurs(p *types.Package) bool {
	return p != nil &&
		(p.Path() == module || strings.HasPrefix(p.Path(), module+"/") || strings.HasPrefix(p.Path(), module+"_test"))
}

// Package listerror finds loops over a listing that ignore its error.
//
//	for entry := range bucket.List(ctx) { // a failed listing looks like an empty bucket
//
// If an iterator yields a value and an error, as List of a Bucket does, a loop must use both.
package listerror

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Analyzer reports a loop that ignores the errors of an iterator of values and errors. Such a loop
// has no second variable, or has the blank identifier as the second variable.
var Analyzer = &analysis.Analyzer{
	Name:     "listerror",
	Doc:      "report range loops that drop the error of an iterator",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

// run reports each loop over an iterator with errors that drops the error.
func run(pass *analysis.Pass) (any, error) {
	loops := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	loops.Preorder([]ast.Node{(*ast.RangeStmt)(nil)}, func(n ast.Node) {
		loop := n.(*ast.RangeStmt)
		if yieldsError(pass.TypesInfo.TypeOf(loop.X)) && isDropped(loop.Value) {
			pass.Reportf(loop.Pos(), "the error of the iterator is dropped: range over both values and check the second")
		}
	})
	return nil, nil
}

// yieldsError reports whether t is an iterator that yields an error as its second value.
func yieldsError(t types.Type) bool {
	if t == nil {
		return false
	}
	iterator, ok := t.Underlying().(*types.Signature)
	if !ok || iterator.Params().Len() != 1 {
		return false
	}

	yield, ok := iterator.Params().At(0).Type().Underlying().(*types.Signature)
	return ok && yield.Params().Len() == 2 &&
		types.Identical(yield.Params().At(1).Type(), types.Universe.Lookup("error").Type())
}

// isDropped reports whether a loop ignores the value that it ranges over.
func isDropped(value ast.Expr) bool {
	if value == nil {
		return true
	}
	name, ok := value.(*ast.Ident)
	return ok && name.Name == "_"
}

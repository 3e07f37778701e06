// Package embedded finds structs that embed a Bucket.
//
//	type audited struct {
//		storage.Bucket // storage.Close, Copy and others fail with an audited as Unsupported
//	}
//
// The functions of package storage take only buckets of the library. A type with methods of its own
// embeds a storage.Core, and storage.Wrap makes a Bucket of it.
package embedded

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

const library = "github.com/omnibucket/storage"

// Analyzer reports a struct that embeds the interface Bucket of package storage.
var Analyzer = &analysis.Analyzer{
	Name:     "embedded",
	Doc:      "report structs that embed a Bucket, which functions of package storage refuse",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

// run reports each embedded field that is a bucket.
func run(pass *analysis.Pass) (any, error) {
	files := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	files.Preorder([]ast.Node{(*ast.StructType)(nil)}, func(n ast.Node) {
		for _, field := range n.(*ast.StructType).Fields.List {
			isEmbedded := len(field.Names) == 0
			if isEmbedded && isBucket(pass.TypesInfo.TypeOf(field.Type)) {
				pass.Reportf(
					field.Pos(),
					"functions of package storage refuse a struct that embeds a Bucket: embed a storage.Core, and call storage.Wrap",
				)
			}
		}
	})
	return nil, nil
}

// isBucket reports whether t is the interface Bucket of package storage.
func isBucket(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	return named.Obj().Pkg().Path() == library && named.Obj().Name() == "Bucket"
}

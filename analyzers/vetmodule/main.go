// Vetmodule has the analyzers that "make vet" runs. "go vet -vettool" runs it, and keeps the results. It also takes
// packages itself: "go vet" fails where a dependency is one that unitchecker cannot type-check, as below iceberg-go.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/omnibucket/storage/analyzers/listerror"
	"github.com/omnibucket/storage/analyzers/structure"
)

func main() { multichecker.Main(listerror.Analyzer, structure.Analyzer) }

// Vetmodule has the analyzers that "make vet" runs on this module.
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/omnibucket/storage/analyzers/listerror"
	"github.com/omnibucket/storage/analyzers/structure"
)

func main() { unitchecker.Main(listerror.Analyzer, structure.Analyzer) }

// Vetmodule runs the analyzers of "make vet": the analyzers of a plain "go vet", and the analyzers
// of this module. Normally "go vet -vettool" runs it, and caches the results. It can also be run
// with packages as arguments, because "go vet" fails if it cannot type-check a dependency, such as
// a dependency of iceberg-go.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/omnibucket/storage/analyzers/idioms"
	"github.com/omnibucket/storage/analyzers/listerror"
	"github.com/omnibucket/storage/analyzers/lockheld"
	"github.com/omnibucket/storage/analyzers/structure"
)

func main() {
	multichecker.Main(append(standard, idioms.Analyzer, listerror.Analyzer, lockheld.Analyzer, structure.Analyzer)...)
}

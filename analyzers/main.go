// Analyzers reports mistakes in code that uses this library:
//
//	go vet -vettool=$(go env GOPATH)/bin/analyzers ./...
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/omnibucket/storage/analyzers/embedded"
	"github.com/omnibucket/storage/analyzers/listerror"
)

func main() { unitchecker.Main(embedded.Analyzer, listerror.Analyzer) }

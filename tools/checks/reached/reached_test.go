package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// If a file changes, the tests of its package and of all importers must run. A package whose tests import it is an
// importer, too. Importers that need an SDK are skipped and listed apart, because an SDK takes long to compile.
func TestReachedPackages(t *testing.T) {
	// The packages memstore and providers/s3 import the engine. The tests of lease and serve import memstore. Those of
	// serve also need the SDK of S3.
	const s3 = "github.com/aws/aws-sdk-go-v2/service/s3"
	packages := []pkg{
		{ImportPath: module},
		{ImportPath: module + "/engine", Imports: []string{module}, Deps: []string{module}},
		{ImportPath: module + "/memstore", Imports: []string{module + "/engine"}, Deps: []string{module, module + "/engine"}},
		{ImportPath: module + "/lease", XTestImports: []string{module + "/memstore"}},
		{
			ImportPath: module + "/providers/s3",
			Imports:    []string{module + "/engine", s3},
			Deps:       []string{module, module + "/engine", s3},
		},
		{ImportPath: module + "/serve", TestImports: []string{module + "/memstore", module + "/providers/s3"}},
	}
	tests := []struct {
		name        string
		files       []string // that have changed
		wantReached []string
		wantSkipped []string
	}{
		{name: "nothing"},
		{
			name:        "a package that others import",
			files:       []string{"engine/core.go"},
			wantReached: []string{module + "/engine", module + "/memstore", module + "/lease"},
			wantSkipped: []string{"providers/s3", "serve"},
		},
		{
			name:        "a package that tests import",
			files:       []string{"memstore/list.go"},
			wantReached: []string{module + "/memstore", module + "/lease"},
			wantSkipped: []string{"serve"},
		},
		{
			name:        "a package that needs an SDK",
			files:       []string{"providers/s3/put.go"},
			wantReached: []string{module + "/providers/s3"},
			wantSkipped: []string{"serve"},
		},
		{
			name:        "data of a test",
			files:       []string{"lease/testdata/a/b.json"},
			wantReached: []string{module + "/lease"},
		},
		{name: "pages", files: []string{"docs/cli.md", "README.md", "Makefile"}},
		{
			name:        "two files of one package",
			files:       []string{"lease/a.go", "lease/b.go"},
			wantReached: []string{module + "/lease"},
		},
		{name: "another module", files: []string{"tools/release/main.go"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reached, skipped := reachedBy(tt.files, packages)
			require.Equal(t, tt.wantReached, reached)
			require.Equal(t, tt.wantSkipped, skipped)
		})
	}
}

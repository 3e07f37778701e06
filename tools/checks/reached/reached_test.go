package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A changed file reaches its package, and all packages that import it, also from their tests. Importers that need an SDK
// are listed apart.
func TestReachedPackages(t *testing.T) {
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
	for name, row := range map[string]struct{ files, want, without []string }{
		"nothing":                                {nil, nil, nil},
		"a file of a package, and its importers": {[]string{"engine/core.go"}, []string{"/engine", "/memstore", "/lease"}, []string{"providers/s3", "serve"}},
		"the tests of a package import it":       {[]string{"memstore/list.go"}, []string{"/memstore", "/lease"}, []string{"serve"}},
		"a changed package that needs an SDK":    {[]string{"providers/s3/put.go"}, []string{"/providers/s3"}, []string{"serve"}},
		"data of a test":                         {[]string{"lease/testdata/a/b.json"}, []string{"/lease"}, nil},
		"a page":                                 {[]string{"docs/cli.md", "README.md", "Makefile"}, nil, nil},
		"two files of one package":               {[]string{"lease/a.go", "lease/b.go"}, []string{"/lease"}, nil},
		"another module":                         {[]string{"tools/release/main.go"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, p := range row.want {
				want = append(want, module+p)
			}
			reached, unreached := reachedBy(row.files, packages)
			require.Equal(t, want, reached)
			require.Equal(t, row.without, unreached)
		})
	}
}

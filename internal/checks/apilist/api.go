package main

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/checks/golist"
)

// A pkg is one package in the output of go list.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles               []string
}

// isPublic reports whether other modules can and may import the package.
func (p *pkg) isPublic() bool {
	path := "/" + p.ImportPath + "/"
	return p.Name != "main" && !strings.Contains(path, "/internal/") && !strings.Contains(path, "/examples/")
}

// apiOf returns a sorted line for each exported name and field of the public packages.
func apiOf(patterns ...string) ([]string, error) {
	// The listing is made for Linux on every machine, so that it is always the same.
	packages, err := golist.Packages[pkg](
		"Dir,ImportPath,Name,GoFiles", []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"},
		patterns...)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range packages {
		if !p.isPublic() {
			continue
		}
		api, err := p.api()
		if err != nil {
			return nil, err
		}
		lines = append(lines, api...)
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// api returns the lines of one package. The parser leaves out comments, and package doc what is
// not exported.
func (p *pkg) api() ([]string, error) {
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
	}
	d, err := doc.NewFromFiles(files, parsed, p.ImportPath)
	if err != nil {
		return nil, err
	}
	w := &writer{pkg: p.ImportPath}
	w.values(d.Consts)
	w.values(d.Vars)
	w.funcs(d.Funcs)
	for _, t := range d.Types {
		w.values(t.Consts)
		w.values(t.Vars)
		w.funcs(t.Funcs)
		w.funcs(t.Methods)
		for _, spec := range t.Decl.Specs {
			w.typ(spec.(*ast.TypeSpec))
		}
	}
	return w.lines, nil
}

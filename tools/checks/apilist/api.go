package main

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"

	"github.com/omnibucket/storage/tools/checks/golist"
)

// A pkg is a package that "go list" has printed.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles               []string
}

// isPublic reports whether the package is meant for other modules. Packages below cmd are not:
// other modules could import them, but they belong to the programs of this repository.
func (p *pkg) isPublic() bool {
	path := "/" + p.ImportPath + "/"
	isPrivate := func(folder string) bool { return strings.Contains(path, folder) }
	return p.Name != "main" && !slices.ContainsFunc([]string{"/internal/", "/examples/", "/cmd/"}, isPrivate)
}

// apiOf returns the exported API of the public packages: a sorted list with a line for each
// exported name and field.
func apiOf(patterns ...string) ([]string, error) {
	// The API is that of Linux on every machine, so that the list is always the same.
	packages, err := golist.Packages[pkg](
		".", "Dir,ImportPath,Name,GoFiles", []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"},
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

// api returns the lines of one package. The parser drops comments, and package doc drops what is
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

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A pkg is one package in the output of go list.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles               []string
}

// isPublic reports whether other modules can import the package, and are meant to.
func (p *pkg) isPublic() bool {
	path := "/" + p.ImportPath + "/"
	return p.Name != "main" && !strings.Contains(path, "/internal/") && !strings.Contains(path, "/examples/")
}

// apiOf returns a sorted line for each exported name and field of the public packages.
func apiOf(patterns ...string) ([]string, error) {
	packages, err := list(patterns)
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

// list runs "go list" for Linux, whatever this machine is, so that the listing is the same.
func list(patterns []string) ([]pkg, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=Dir,ImportPath,Name,GoFiles"}, patterns...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		}
		packages = append(packages, p)
	}
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

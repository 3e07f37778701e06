package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/omnibucket/storage/tools/checks/golist"
)

// A pkg is a package that "go list" has printed.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles               []string
	lines                 []string // what api returned, for a public package
}

// isPublic reports whether the package is meant for other modules. Packages below cmd are not:
// other modules could import them, but they belong to the programs of this repository.
func (p *pkg) isPublic() bool {
	path := "/" + p.ImportPath + "/"
	isPrivate := func(folder string) bool { return strings.Contains(path, folder) }
	return p.Name != "main" && !slices.ContainsFunc([]string{"/internal/", "/examples/", "/cmd/"}, isPrivate)
}

// modulePath is the import path of the root module.
const modulePath = "github.com/omnibucket/storage"

// file returns the path of the package's listing in the folder of the listings.
func (p *pkg) file() string {
	if p.ImportPath == modulePath {
		return "storage.txt"
	}
	return strings.TrimPrefix(p.ImportPath, modulePath+"/") + ".txt"
}

// publicPackages returns the packages that are meant for other modules: those of the root module
// come first, and those of each module are sorted by their paths. The API is that of Linux on every
// machine, so that the listings are always the same.
func publicPackages() ([]*pkg, error) {
	dirs := []string{"."}
	for _, pattern := range []string{"layers/*/go.mod", "adapters/*/go.mod", "analyzers/go.mod"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			dirs = append(dirs, filepath.Dir(file))
		}
	}

	var public []*pkg
	for _, dir := range dirs {
		env := []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"}
		packages, err := golist.Packages[*pkg](dir, "Dir,ImportPath,Name,GoFiles", env, "./...")
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if !p.isPublic() {
				continue
			}
			if p.lines, err = p.api(); err != nil {
				return nil, err
			}
			if len(p.lines) > 0 { // package layers has none
				public = append(public, p)
			}
		}
	}
	return public, nil
}

// listing returns the text of the package's listing.
func (p *pkg) listing() (string, error) {
	synopsis, err := p.synopsis()
	if err != nil {
		return "", err
	}
	head := fmt.Sprintf("package %s // import %q\n\n%s\n\n", p.Name, p.ImportPath, synopsis)
	return head + strings.Join(p.lines, "\n") + "\n", nil
}

// docLink matches a link in documentation to a name of Go.
var docLink = regexp.MustCompile(`\[([\w./]+)\]`)

// synopsis returns the first sentence of the package's documentation, without links, and with a
// period at its end.
func (p *pkg) synopsis() (string, error) {
	files := token.NewFileSet()
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return "", err
		}
		if file.Doc != nil {
			sentence := docLink.ReplaceAllString(new(doc.Package).Synopsis(file.Doc.Text()), "$1")
			return strings.TrimRight(sentence, ".:") + ".", nil
		}
	}
	return "", fmt.Errorf("package %s has no documentation", p.ImportPath)
}

// api returns a line for each exported name and field of the package. What belongs to a type follows
// it. The parser drops comments, and package doc drops what is not exported.
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

	w := &writer{}
	w.values(d.Consts)
	w.values(d.Vars)
	w.funcs(d.Funcs)
	for _, t := range d.Types {
		for _, spec := range t.Decl.Specs {
			w.typeSpec(spec.(*ast.TypeSpec))
		}
		w.values(t.Consts)
		w.values(t.Vars)
		w.funcs(t.Funcs)
		w.funcs(t.Methods)
	}
	return w.lines, nil
}

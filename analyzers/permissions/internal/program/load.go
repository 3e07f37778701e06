// Package program loads a Go program, and finds the functions that it can run.
package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

// Storage is the path of the library's root package.
const Storage = "github.com/omnibucket/storage"

// A Program is a main package, or some packages of a library, with all packages that they import
// and that may call package storage.
type Program struct {
	Name  string // the package's directory relative to that of the module, or its import path
	SSA   *ssa.Program
	Roots []*ssa.Package
	// The field All has the packages whose code is analyzed. One call of Load gives the same
	// packages to every program.
	All []*ssa.Package
	Dir string // directory to which positions are relative
}

// A Config selects what Load loads.
type Config struct {
	Dir      string // "" is the current directory
	Tags     string // build tags, separated by commas
	Patterns []string
}

// Load loads the packages of the patterns, and fails if one does not compile.
//
// Each main package becomes a program. Without one, all packages together become a program that can
// run each exported function.
func Load(c Config) ([]*Program, error) {
	pkgs, err := loadImports(c)
	if err != nil {
		return nil, err
	}

	// The packages that do not use the library need no analysis.
	paths := users(pkgs)
	if len(paths) == 0 {
		return nil, errors.New("no package of " + strings.Join(c.Patterns, " ") + " imports " + Storage)
	}

	loaded, err := packages.Load(c.packages(packages.LoadSyntax|packages.NeedModule), paths...)
	if err != nil {
		return nil, err
	}
	if err := firstError(c, loaded); err != nil {
		return nil, err
	}

	prog, built := ssautil.Packages(loaded, ssa.InstantiateGenerics)
	prog.Build()
	return newPrograms(pkgs, prog, built)
}

// packages returns the settings with which package packages loads the patterns.
func (c Config) packages(mode packages.LoadMode) *packages.Config {
	config := &packages.Config{Mode: mode, Dir: c.Dir, Env: os.Environ()}
	if c.Tags != "" {
		config.BuildFlags = []string{"-tags=" + c.Tags}
	}
	return config
}

// loadImports loads the packages of the patterns and those that they import, without types.
func loadImports(c Config) ([]*packages.Package, error) {
	mode := packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedFiles | packages.NeedModule
	pkgs, err := packages.Load(c.packages(mode), c.Patterns...)
	if err != nil {
		return nil, err
	}

	if len(pkgs) == 0 {
		return nil, errors.New("no packages match " + strings.Join(c.Patterns, " "))
	}
	return pkgs, firstError(c, pkgs)
}

// firstError returns an error about the first package that does not compile.
func firstError(c Config, all []*packages.Package) (first error) {
	packages.Visit(all, nil, func(p *packages.Package) {
		if first == nil && len(p.Errors) > 0 {
			first = fmt.Errorf("%s does not compile: %s", p.PkgPath, c.withoutDir(baseOf(p.Errors[0])))
		}
	})
	return first
}

// withoutDir removes the path of the analyzed directory from a text.
func (c Config) withoutDir(text string) string {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return text
	}
	return strings.ReplaceAll(text, dir+string(filepath.Separator), "")
}

// baseOf returns the text of an error with the name of the file in place of its path.
func baseOf(err packages.Error) string {
	if err.Pos == "" || err.Pos == "-" {
		return err.Msg
	}
	return filepath.Base(err.Pos) + ": " + err.Msg
}

// users returns the packages that import the library directly or indirectly, without those of the
// library that implement buckets.
//
// Tables in package rights describe the functions of the packages that are left out.
func users(pkgs []*packages.Package) (paths []string) {
	// Visit calls the function for the imports of a package before the package itself.
	uses := map[string]bool{}
	packages.Visit(pkgs, nil, func(p *packages.Package) {
		for _, imported := range p.Imports {
			if imported.PkgPath == Storage || uses[imported.PkgPath] {
				uses[p.PkgPath] = true
			}
		}
		if uses[p.PkgPath] && !implementsBuckets(p.PkgPath) {
			paths = append(paths, p.PkgPath)
		}
	})
	slices.Sort(paths)
	return slices.Compact(paths)
}

// implementing has the folders of the library whose packages implement buckets.
var implementing = []string{
	"driver", "engine", "memstore", "providers", "layers", "locations", "transfer", "permissions", "s3server",
}

// implementsBuckets reports whether a package is in one of the folders that implement buckets.
func implementsBuckets(path string) bool {
	below, isOurs := strings.CutPrefix(path, Storage+"/")
	folder, _, _ := strings.Cut(below, "/")
	return isOurs && slices.Contains(implementing, folder)
}

// newPrograms makes a program of each main package, or one program of all packages if none of them
// is a main package.
//
// An element of built is nil if the package does not compile.
func newPrograms(pkgs []*packages.Package, prog *ssa.Program, built []*ssa.Package) ([]*Program, error) {
	byPath := map[string]*ssa.Package{}
	for _, p := range built {
		if p == nil {
			return nil, errors.New("a package does not compile")
		}
		byPath[p.Pkg.Path()] = p
	}

	var all []*Program
	library := &Program{SSA: prog, All: built, Dir: moduleDir(pkgs)}
	for _, p := range pkgs {
		root := byPath[p.PkgPath]
		switch {
		case root == nil:
			// Package p does not import the library.
		case p.Name == "main":
			all = append(all, &Program{
				Name:  nameOf(p),
				SSA:   prog,
				Roots: []*ssa.Package{root},
				All:   built,
				Dir:   library.Dir,
			})
		default:
			library.Roots = append(library.Roots, root)
			// The name lists the packages, with spaces between them.
			library.Name = strings.TrimPrefix(library.Name+" "+nameOf(p), " ")
		}
	}

	if len(all) == 0 {
		all = []*Program{library}
	}
	slices.SortFunc(all, func(a, b *Program) int {
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// moduleDir returns the directory of the first package with a known module, or "".
func moduleDir(pkgs []*packages.Package) string {
	for _, p := range pkgs {
		if p.Module != nil && p.Module.Dir != "" {
			return p.Module.Dir
		}
	}
	return ""
}

// nameOf returns the import path of a package relative to its module. For the root package, it
// returns the last element of the module's path.
func nameOf(p *packages.Package) string {
	if p.Module == nil {
		return p.PkgPath
	}
	if below := strings.TrimPrefix(strings.TrimPrefix(p.PkgPath, p.Module.Path), "/"); below != "" {
		return below
	}
	return p.PkgPath[strings.LastIndex(p.PkgPath, "/")+1:]
}

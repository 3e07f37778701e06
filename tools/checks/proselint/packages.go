package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// module is the import path of the root package. Every other package in the repository has this
// path, followed by the path of its folder. The repository has several Go modules, and packages of
// all these modules have such a path.
const module = "github.com/omnibucket/storage"

// A packages holds the names that packages of this repository declare, by folder.
type packages struct {
	root   string
	loaded map[string]*names
}

// A names holds the names that one package declares.
type names struct {
	name    string
	top     map[string]bool
	members map[string]map[string]bool // methods and fields, by type
	embeds  map[string][]string        // embedded types, by the embedding type; "" is a type of another package
	imports map[string]string          // import paths, by the name in the code; without the imports of tests
}

// byPath returns the names of the package with an import path. If the package is not in this
// repository, it returns nil.
func (p *packages) byPath(path string) (*names, error) {
	if path != module && !strings.HasPrefix(path, module+"/") {
		return nil, nil
	}
	return p.load(filepath.Join(p.root, filepath.FromSlash(strings.TrimPrefix(path, module))))
}

// load returns the names that the package in a folder declares, including those of its tests.
func (p *packages) load(dir string) (*names, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}

	if n := p.loaded[dir]; n != nil {
		return n, nil
	}

	n := &names{
		top:     make(map[string]bool),
		members: make(map[string]map[string]bool),
		embeds:  make(map[string][]string),
		imports: make(map[string]string),
	}

	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(name, "_test.go") {
			n.name = file.Name.Name
			n.addImports(file)
		}
		for _, decl := range file.Decls {
			n.declare(decl)
		}
	}

	if p.loaded == nil {
		p.loaded = make(map[string]*names)
	}
	p.loaded[dir] = n
	return n, nil
}

// addImports adds the imports of a file by the names that the code uses for them.
func (n *names) addImports(file *ast.File) {
	for _, spec := range file.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		n.imports[name] = target
	}
}

// withImports returns a copy of n with the imports of one file in place of those of the package.
func (n *names) withImports(file *ast.File) *names {
	c := *n
	c.imports = make(map[string]string)
	c.addImports(file)
	return &c
}

// declare adds the names of a declaration: functions, methods, types with their members, constants and
// variables.
func (n *names) declare(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv == nil {
			n.top[decl.Name.Name] = true
			return
		}
		recv, _ := typeName(decl.Recv.List[0].Type)
		n.member(recv, decl.Name.Name)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					n.top[name.Name] = true
				}
			case *ast.TypeSpec:
				n.top[spec.Name.Name] = true
				n.declareType(spec)
			}
		}
	}
}

// declareType adds the fields and methods in the declaration of a type, and the types from which it
// has more of them: embedded types, and the type on the right side of another declaration.
func (n *names) declareType(spec *ast.TypeSpec) {
	declared := spec.Name.Name
	embed := func(name string, isOwn bool) {
		if !isOwn {
			name = "" // a type of another package
		}
		n.embeds[declared] = append(n.embeds[declared], name)
	}

	var fields *ast.FieldList
	switch t := spec.Type.(type) {
	case *ast.StructType:
		fields = t.Fields
	case *ast.InterfaceType:
		fields = t.Methods
	default:
		embed(typeName(t))
		return
	}

	for _, field := range fields.List {
		for _, name := range field.Names {
			n.member(declared, name.Name)
		}
		if len(field.Names) > 0 {
			continue
		}

		// An embedded type is also a field with the name of the type.
		name, isOwn := typeName(field.Type)
		n.member(declared, name)
		embed(name, isOwn)
	}
}

func (n *names) member(recv, name string) {
	if n.members[recv] == nil {
		n.members[recv] = make(map[string]bool)
	}
	n.members[recv][name] = true
}

// has reports whether the package declares name. If recv is not "", it reports whether the type
// recv has a member with that name. If recv embeds a type of another package, has returns true,
// because the member may come from that type.
func (n *names) has(recv, name string) bool {
	if recv == "" {
		return n.top[name]
	}
	if !n.top[recv] {
		return false
	}
	if n.members[recv][name] {
		return true
	}
	for _, embedded := range n.embeds[recv] {
		isOfOtherPackage := embedded == ""
		if isOfOtherPackage {
			return true
		}
		// Skip a type that refers to itself, because the search would not end.
		if embedded == recv {
			continue
		}
		if n.has(embedded, name) {
			return true
		}
	}
	return false
}

// typeName returns the name of a type without a pointer and type arguments. own is true if the type
// belongs to the same package.
func typeName(t ast.Expr) (name string, own bool) {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name, true
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.IndexExpr:
		return typeName(t.X)
	case *ast.IndexListExpr:
		return typeName(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name, false
	}
	return "", false
}

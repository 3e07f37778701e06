package main

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/format"
	"go/token"
	"regexp"
	"strings"
)

// A writer collects the API lines of one package.
type writer struct {
	lines []string
}

func (w *writer) add(text string) { w.lines = append(w.lines, text) }

func (w *writer) funcs(funcs []*doc.Func) {
	for _, f := range funcs {
		w.add(oneLine(f.Decl))
	}
}

// values adds a line for each exported constant or variable. In a group of constants, a constant
// may repeat the type and the value of the previous constant. The line for such a constant contains
// only its name.
func (w *writer) values(values []*doc.Value) {
	for _, v := range values {
		for _, spec := range v.Decl.Specs {
			spec := spec.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if name.IsExported() {
					w.add(v.Decl.Tok.String() + " " + name.Name + typeAndValue(v.Decl.Tok, spec, i))
				}
			}
		}
	}
}

func typeAndValue(kind token.Token, spec *ast.ValueSpec, i int) string {
	text := ""
	if spec.Type != nil {
		text = " " + oneLine(spec.Type)
	}
	if kind == token.CONST && i < len(spec.Values) {
		text += " = " + oneLine(spec.Values[i])
	}
	return text
}

// typeSpec adds a line for a type, and a line for each exported field or method in its declaration.
func (w *writer) typeSpec(spec *ast.TypeSpec) {
	head := *spec
	var members *ast.FieldList

	// The line of a struct or an interface shows no members, because each member has its own line.
	switch t := spec.Type.(type) {
	case *ast.StructType:
		members = t.Fields
		head.Type = &ast.StructType{Fields: &ast.FieldList{}}
	case *ast.InterfaceType:
		members = t.Methods
		head.Type = &ast.InterfaceType{Methods: &ast.FieldList{}}
		if t.Incomplete {
			w.add("type " + spec.Name.Name + " has unexported methods")
		}
	}

	w.add("type " + oneLine(&head))
	if members == nil {
		return
	}

	for _, field := range members.List {
		if len(field.Names) == 0 {
			w.add("type " + spec.Name.Name + ", embedded " + oneLine(field.Type))
		}
		for _, name := range field.Names {
			w.add("type " + spec.Name.Name + ", " + name.Name + " " + oneLine(field.Type))
		}
	}
}

var spaces = regexp.MustCompile(`\s+`)

// oneLine formats a node of the syntax tree as one line.
func oneLine(node any) string {
	var text bytes.Buffer
	// This cannot fail for a node that was parsed.
	_ = format.Node(&text, token.NewFileSet(), node)
	return strings.ReplaceAll(strings.TrimSpace(spaces.ReplaceAllString(text.String(), " ")), "{ }", "{}")
}

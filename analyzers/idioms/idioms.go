// Package idioms finds statements that Go programmers do not write:
//
//	if x = f(); y == nil {          // two statements
//	switch err := f(); {            // a statement, then the switch
//	case a, b:                      // a || b, in a switch without a tag
//
// It also finds literals that are neither on one line nor one field a line, and calls that are broken after the opening
// bracket although they fit on a line. It accepts "if err = f(); err != nil".
package idioms

import (
	"go/ast"
	"go/token"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
)

const module = "github.com/omnibucket/storage"

// columns is the width of a line on which a broken call would fit. A tab has 4 columns.
const columns = 120

// Analyzer reports the statements and line breaks that the package comment describes, but only in the
// packages of this module.
var Analyzer = &analysis.Analyzer{
	Name: "idioms",
	Doc:  "report statements that Go programmers do not write",
	Run:  run,
}

// run checks the files of a package of this library, except generated ones.
func run(pass *analysis.Pass) (any, error) {
	path := strings.TrimSuffix(pass.Pkg.Path(), "_test")
	isOurs := path == module || strings.HasPrefix(path, module+"/")
	if !isOurs || isPending(path) {
		return nil, nil
	}
	for _, file := range pass.Files {
		if ast.IsGenerated(file) {
			continue
		}
		text, err := pass.ReadFile(pass.Fset.Position(file.FileStart).Filename)
		if err != nil {
			return nil, err
		}
		c := &checker{
			pass:  pass,
			file:  pass.Fset.File(file.FileStart),
			lines: strings.Split(string(text), "\n"),
		}
		ast.Inspect(file, c.visit)
	}
	return nil, nil
}

type checker struct {
	pass  *analysis.Pass
	file  *token.File
	lines []string
}

// visit checks a node of the syntax tree. It returns true, so that ast.Inspect visits the children, too.
func (c *checker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		c.checkIf(n)
	case *ast.SwitchStmt:
		c.checkSwitch(n)
	case *ast.CompositeLit:
		c.checkLiteral(n)
	case *ast.CallExpr:
		c.checkCall(n)
	}
	return true
}

// checkIf reports an if whose first statement has an effect, other than to set the err that the
// condition checks.
func (c *checker) checkIf(s *ast.IfStmt) {
	switch init := s.Init.(type) {
	case nil: // the if begins with its condition
	case *ast.AssignStmt:
		if init.Tok == token.DEFINE {
			return
		}

		// An assignment to err is permitted if the condition checks err.
		for _, x := range init.Lhs {
			if id, ok := x.(*ast.Ident); ok && id.Name == "err" && mentions(s.Cond, "err") {
				return
			}
		}
		c.pass.Reportf(s.Pos(), "an if that assigns: write the assignment before it")
	default:
		c.pass.Reportf(s.Pos(), "an if with an effect: write the statement before it")
	}
}

// checkSwitch reports a switch without a tag that begins with a statement or has several conditions
// in a case.
func (c *checker) checkSwitch(s *ast.SwitchStmt) {
	if s.Tag != nil {
		return
	}
	if s.Init != nil {
		c.pass.Reportf(s.Pos(), "a statement in a switch without a tag: write it before the switch")
	}
	for _, x := range s.Body.List {
		if len(x.(*ast.CaseClause).List) > 1 {
			c.pass.Reportf(x.Pos(), "a list of conditions: join them by ||")
		}
	}
}

// checkLiteral reports a literal of several lines with several named fields on one of them.
func (c *checker) checkLiteral(l *ast.CompositeLit) {
	if c.file.Line(l.Lbrace) == c.file.Line(l.Rbrace) {
		return
	}
	for i, element := range l.Elts {
		pair, hasKey := element.(*ast.KeyValueExpr)
		if !hasKey {
			return // either all elements have a key or none
		}
		_, isNamed := pair.Key.(*ast.Ident)
		if !isNamed || i == 0 {
			continue
		}

		line := c.file.Line(element.Pos())
		isWithPrevious := line == c.file.Line(l.Elts[i-1].Pos())
		isOnFirstLine := line == c.file.Line(l.Lbrace)
		if isWithPrevious && !isOnFirstLine {
			c.pass.Reportf(element.Pos(), "several fields on one of several lines: write one field a line")
			return
		}
	}
}

// checkCall reports a call of three lines, "f(", "args," and ")", that fits on one.
func (c *checker) checkCall(call *ast.CallExpr) {
	first := c.file.Line(call.Lparen)
	last := c.file.Line(call.Rparen)
	if last != first+2 || last > len(c.lines) {
		return
	}
	// Lines are counted from 1.
	head := c.lines[first-1]
	args := strings.TrimSpace(c.lines[first])
	end := strings.TrimSpace(c.lines[last-1])
	if !strings.HasSuffix(head, "(") || !strings.HasPrefix(end, ")") {
		return
	}
	hasComment := strings.Contains(head+args, "//")
	if hasComment {
		return
	}
	oneLine := head + strings.TrimSuffix(args, ",") + end
	if width(oneLine) <= columns {
		c.pass.Reportf(call.Rparen, "a broken call that fits on one line")
	}
}

func width(line string) int {
	return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
}

// mentions reports whether an expression has an identifier with the given name.
func mentions(e ast.Expr, name string) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			found = true
		}
		return !found
	})
	return found
}

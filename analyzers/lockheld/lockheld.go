// Package lockheld finds locks of package sync that are held during a request.
//
//	mu.Lock()
//	defer mu.Unlock()
//	attrs, err := bucket.Attrs(ctx, key) // whoever waits for mu does not heed its own ctx
//
// A call counts as a request if its first argument is a context. A lock that is held meanwhile makes others wait
// without their contexts, and for as long as the store likes. The function of a [sync.Once] counts as one that holds
// a lock. Use package internal/running instead, or a channel of capacity 1, which can be waited for together with a
// context. Tests may hold a lock.
package lockheld

import (
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

const module = "github.com/omnibucket/storage/"

// allowed has the functions whose calls are no requests, and those that may hold a lock, with the reason.
var allowed = map[string]string{
	module + "cmd/omnibucket/internal/program.Stores.Open":   "all calls of a command have the same context",
	module + "cmd/omnibucket/internal/program.Stores.Layers": "all calls of a command have the same context",
	module + "internal/keysort.Sorter.Add":                   "it writes to a temporary file",
	module + "providers/azure.userKeyCache.renew":            "it unlocks the lock first",
	module + "serve.Server.Close":                            "it has no context; other calls wait until the server is closed",
	module + "providers/local/internal/objectfile.Staging.Dir": "it makes a directory, and repeats that if another " +
		"process removes it",
}

// Analyzer reports a call that takes a context if the calling function holds a lock. It finds only
// locks that the same function has locked.
var Analyzer = &analysis.Analyzer{
	Name: "lockheld",
	Doc:  "report requests during which a lock of package sync is held",
	Run:  run,
}

// run checks the functions of a package, except those in tests and below internal/testing.
func run(pass *analysis.Pass) (any, error) {
	if strings.Contains(pass.Pkg.Path(), "/internal/testing/") {
		return nil, nil
	}
	for _, file := range pass.Files {
		if strings.HasSuffix(pass.Fset.Position(file.Pos()).Filename, "_test.go") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				f, _ := pass.TypesInfo.Defs[n.Name].(*types.Func)
				isAllowed := allowed[fullName(f)] != ""
				if n.Body == nil || isAllowed {
					return false // skips the function literals in the body, too
				}
				check(pass, n.Body, make(map[string]bool))
			case *ast.FuncLit:
				check(pass, n.Body, make(map[string]bool))
			case *ast.CallExpr:
				checkOnce(pass, n)
			}
			return true
		})
	}
	return nil, nil
}

// check checks the body of a function that runs while the given locks are held. It leaves out the
// function literals in the body.
func check(pass *analysis.Pass, body *ast.BlockStmt, held map[string]bool) {
	c := &checker{pass: pass}
	c.checkBlock(body.List, held)
}

// checkOnce checks the function literal in a call such as once.Do(func() { … }) or sync.OnceFunc, which
// package sync runs while it holds a lock.
func checkOnce(pass *analysis.Pass, call *ast.CallExpr) {
	f := called(pass, call)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != "sync" || len(call.Args) != 1 {
		return
	}

	switch f.Name() {
	case "Do", "OnceFunc", "OnceValue", "OnceValues":
		if literal, ok := call.Args[0].(*ast.FuncLit); ok {
			held := map[string]bool{types.ExprString(call.Fun): true}
			check(pass, literal.Body, held)
		}
	}
}

// called returns the function or method that a call names, or nil if the call is of a function value.
func called(pass *analysis.Pass, call *ast.CallExpr) *types.Func {
	var name *ast.Ident
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		name = fun
	case *ast.SelectorExpr:
		name = fun.Sel
	default:
		return nil
	}

	f, _ := pass.TypesInfo.Uses[name].(*types.Func)
	return f
}

// fullName returns the name of a function with its package and the type of its receiver.
func fullName(f *types.Func) string {
	if f == nil || f.Pkg() == nil {
		return ""
	}
	name := f.Pkg().Path() + "."
	if receiver := f.Signature().Recv(); receiver != nil {
		name += typeName(receiver.Type()) + "."
	}
	return name + f.Name()
}

// typeName returns the name of a type, or of the type that a pointer points to, or "" if it has
// none.
func typeName(t types.Type) string {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := t.(*types.Named)
	if !ok {
		return ""
	}
	return named.Obj().Name()
}

// A checker checks the statements of one function body. Its methods get and update the set of the locks
// that are held, by their expressions, such as "s.mu".
type checker struct{ pass *analysis.Pass }

// checkBlock checks statements in their order, and updates the held locks. It reports whether the
// statements jump out of the block. Statements after the jump do not run, so they are not checked.
func (c *checker) checkBlock(list []ast.Stmt, held map[string]bool) (jumps bool) {
	for _, s := range list {
		if c.checkStatement(s, held) {
			return true
		}
	}
	return false
}

// checkStatement checks the calls in a statement in the order in which they run, and updates the held
// locks. It reports whether the statement always jumps out of its block.
func (c *checker) checkStatement(s ast.Stmt, held map[string]bool) (jumps bool) {
	switch s := s.(type) {
	case *ast.ReturnStmt:
		c.checkCalls(s, held)
		return true
	case *ast.BranchStmt: // break, continue, goto or fallthrough
		return true
	case *ast.BlockStmt:
		return c.checkBlock(s.List, held)
	case *ast.LabeledStmt:
		return c.checkStatement(s.Stmt, held)
	case *ast.IfStmt:
		c.checkOptional(s.Init, held)
		c.checkCalls(s.Cond, held)
		c.checkBranch(s.Body.List, held)
		if s.Else != nil {
			c.checkBranch([]ast.Stmt{s.Else}, held)
		}
	case *ast.ForStmt:
		c.checkOptional(s.Init, held)
		if s.Cond != nil {
			c.checkCalls(s.Cond, held)
		}
		c.checkBranch(s.Body.List, held)
		c.checkOptional(s.Post, held)
	case *ast.RangeStmt:
		c.checkCalls(s.X, held)
		c.checkBranch(s.Body.List, held)
	case *ast.SwitchStmt:
		c.checkOptional(s.Init, held)
		if s.Tag != nil {
			c.checkCalls(s.Tag, held)
		}
		c.checkClauses(s.Body, held)
	case *ast.TypeSwitchStmt:
		c.checkOptional(s.Init, held)
		c.checkClauses(s.Body, held)
	case *ast.SelectStmt:
		c.checkClauses(s.Body, held)
	case *ast.DeferStmt, *ast.GoStmt:
		// These calls do not run here: a deferred call runs at the end, and that of a go statement elsewhere.
	default:
		c.checkCalls(s, held)
	}
	return false
}

// checkOptional checks s unless it is nil, as the first and last statements of a loop may be.
func (c *checker) checkOptional(s ast.Stmt, held map[string]bool) {
	if s != nil {
		c.checkStatement(s, held)
	}
}

// checkBranch checks statements that may not run, such as the body of an if. The code after the branch
// runs with the locks that the branch leaves, unless the branch jumps elsewhere.
func (c *checker) checkBranch(list []ast.Stmt, held map[string]bool) {
	heldInside := maps.Clone(held)
	jumps := c.checkBlock(list, heldInside)
	if jumps {
		return
	}
	clear(held)
	maps.Copy(held, heldInside)
}

// checkClauses checks the clauses of a switch or select as branches.
func (c *checker) checkClauses(body *ast.BlockStmt, held map[string]bool) {
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.CaseClause:
			c.checkBranch(s.Body, held)
		case *ast.CommClause:
			c.checkBranch(s.Body, held)
		}
	}
}

// checkCalls checks the calls in a statement or an expression in their order, and updates the held locks. Function
// literals are left out, because they run later.
func (c *checker) checkCalls(n ast.Node, held map[string]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			c.checkCall(n, held)
		}
		return true
	})
}

// checkCall updates held for a call of Lock or Unlock, and reports a call that takes a context while a
// lock is held.
func (c *checker) checkCall(call *ast.CallExpr, held map[string]bool) {
	f := called(c.pass, call)
	if lock := lockOf(call, f); lock != "" {
		switch f.Name() {
		case "Lock", "RLock":
			held[lock] = true
		case "Unlock", "RUnlock":
			delete(held, lock)
		}
		return
	}

	if len(held) == 0 || len(call.Args) == 0 || !isContext(c.pass.TypesInfo.TypeOf(call.Args[0])) {
		return
	}

	// Listed functions and those of package context are permitted.
	if allowed[fullName(f)] != "" {
		return
	}
	if f != nil && f.Pkg() != nil && f.Pkg().Path() == "context" {
		return
	}

	for _, lock := range slices.Sorted(maps.Keys(held)) {
		c.pass.Reportf(call.Pos(), "%s is held during a call that takes a context: use package running", lock)
	}
}

// lockOf returns the expression of the lock of package sync whose method f is called, such as
// "s.mu", or "".
func lockOf(call *ast.CallExpr, f *types.Func) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f == nil || f.Pkg() == nil {
		return ""
	}
	if f.Pkg().Path() != "sync" || f.Signature().Recv() == nil {
		return ""
	}

	switch typeName(f.Signature().Recv().Type()) {
	case "Mutex", "RWMutex", "Locker":
		return types.ExprString(selector.X)
	}
	return ""
}

func isContext(t types.Type) bool {
	named, ok := t.(*types.Named)
	return ok && named.Obj().Name() == "Context" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "context"
}

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
					return false
				}
				check(pass, n.Body, nil) // no lock is held at its beginning
			case *ast.FuncLit:
				check(pass, n.Body, nil)
			case *ast.CallExpr:
				checkOnce(pass, n)
			}
			return true
		})
	}
	return nil, nil
}

// check checks one function body without the function literals in it, with the lock held from its
// beginning if lock is not nil.
func check(pass *analysis.Pass, body *ast.BlockStmt, lock ast.Expr) {
	c := &checker{pass: pass}
	locks := make(map[string]bool)
	if lock != nil {
		locks[types.ExprString(lock)] = true
	}
	c.block(body.List, locks)
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
			check(pass, literal.Body, call.Fun)
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

type checker struct{ pass *analysis.Pass }

// block checks statements in their order, updates the held locks, and reports whether the
// statements end with a jump out of the block.
func (c *checker) block(list []ast.Stmt, locks map[string]bool) (jumps bool) {
	for _, s := range list {
		if c.statement(s, locks) {
			return true
		}
	}
	return false
}

// statement checks the calls in a statement in their order, updates the held locks, and reports
// whether the statement always leaves its block.
func (c *checker) statement(s ast.Stmt, locks map[string]bool) (jumps bool) {
	switch s := s.(type) {
	case *ast.ReturnStmt:
		c.calls(s, locks)
		return true
	case *ast.BranchStmt: // break, continue, goto or fallthrough
		return true
	case *ast.BlockStmt:
		return c.block(s.List, locks)
	case *ast.LabeledStmt:
		return c.statement(s.Stmt, locks)
	case *ast.IfStmt:
		c.optional(s.Init, locks)
		c.calls(s.Cond, locks)
		c.branch(s.Body.List, locks)
		if s.Else != nil {
			c.branch([]ast.Stmt{s.Else}, locks)
		}
	case *ast.ForStmt:
		c.optional(s.Init, locks)
		if s.Cond != nil {
			c.calls(s.Cond, locks)
		}
		c.branch(s.Body.List, locks)
		c.optional(s.Post, locks)
	case *ast.RangeStmt:
		c.calls(s.X, locks)
		c.branch(s.Body.List, locks)
	case *ast.SwitchStmt:
		c.optional(s.Init, locks)
		if s.Tag != nil {
			c.calls(s.Tag, locks)
		}
		c.clauses(s.Body, locks)
	case *ast.TypeSwitchStmt:
		c.optional(s.Init, locks)
		c.clauses(s.Body, locks)
	case *ast.SelectStmt:
		c.clauses(s.Body, locks)
	case *ast.DeferStmt, *ast.GoStmt:
		// These calls do not run here: a deferred call runs at the end, and that of a go statement elsewhere.
	default:
		c.calls(s, locks)
	}
	return false
}

// optional checks s unless it is nil, as the first and last statements of a loop may be.
func (c *checker) optional(s ast.Stmt, locks map[string]bool) {
	if s != nil {
		c.statement(s, locks)
	}
}

// branch checks statements that may not run, such as the body of an if, and updates locks unless
// they jump out of the block.
func (c *checker) branch(list []ast.Stmt, locks map[string]bool) {
	locksInside := maps.Clone(locks)
	if jumps := c.block(list, locksInside); jumps {
		return
	}
	clear(locks)
	maps.Copy(locks, locksInside)
}

// clauses checks the clauses of a switch or select as branches.
func (c *checker) clauses(body *ast.BlockStmt, locks map[string]bool) {
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.CaseClause:
			c.branch(s.Body, locks)
		case *ast.CommClause:
			c.branch(s.Body, locks)
		}
	}
}

// calls checks the calls in a statement or an expression in their order, and updates the held locks. Function
// literals are left out, because they run later.
func (c *checker) calls(n ast.Node, locks map[string]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			c.call(n, locks)
		}
		return true
	})
}

// call updates locks for a call of Lock or Unlock, and reports a call that takes a context while a
// lock is held.
func (c *checker) call(call *ast.CallExpr, locks map[string]bool) {
	f := called(c.pass, call)
	if lock := lockOf(call, f); lock != "" {
		switch f.Name() {
		case "Lock", "RLock":
			locks[lock] = true
		case "Unlock", "RUnlock":
			delete(locks, lock)
		}
		return
	}

	if len(locks) == 0 || len(call.Args) == 0 || !isContext(c.pass.TypesInfo.TypeOf(call.Args[0])) {
		return
	}

	// Listed functions and those of package context are permitted.
	if allowed[fullName(f)] != "" {
		return
	}
	if f != nil && f.Pkg() != nil && f.Pkg().Path() == "context" {
		return
	}

	for _, lock := range slices.Sorted(maps.Keys(locks)) {
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

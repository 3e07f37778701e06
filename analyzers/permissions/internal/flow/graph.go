// Package flow finds where a value of a program comes from: through assignments, fields,
// parameters, results, closures, slices, maps and channels. It begins at the value and goes
// backward, so that values of two calls of one function are not mixed.
package flow

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/types/typeutil"

	"github.com/omnibucket/storage/analyzers/permissions/internal/program"
)

// A Graph has the calls, stores and closures of a program, through which values are traced. A
// function without code is one whose code is not analyzed.
type Graph struct {
	Code *program.Code
	// ResultArgs returns the arguments that a function without code may return as its result.
	ResultArgs func(callee *ssa.Function, args []ssa.Value) []ssa.Value
	// ReceiverArg gets a call of a function without code, and the name of a method. The function may
	// call the method on one of its arguments. ReceiverArg returns that argument, or nil if it is not
	// known.
	ReceiverArg func(call *ssa.CallCommon, method string) ssa.Value
	// CallbackArg gets a call of a function without code. The function may call a callback, which is
	// one of its arguments. CallbackArg returns the value that the callback receives, or nil if that
	// value is not known.
	CallbackArg func(call *ssa.CallCommon) ssa.Value
	// IsLibrary reports whether a function without code is one of the library. No result of such a
	// function has a type of the analyzed program.
	IsLibrary func(callee *types.Func) bool

	static        map[*ssa.Function][]ssa.CallInstruction
	dynamic       []ssa.CallInstruction // calls of function values
	invoked       map[string][]ssa.CallInstruction
	outside       []ssa.CallInstruction // calls of functions without code
	closures      map[*ssa.Function][]*ssa.MakeClosure
	stores        map[int][]store // the key is the type number of store.root; see the method shape
	escapes       map[int][]store // pointers that are passed to functions without code
	returns       map[*ssa.Function][]*ssa.Return
	passedOutside map[*ssa.Function]bool // see IsPassedOutside; nil until it is called

	sites   []ssa.CallInstruction
	siteOf  map[ssa.CallInstruction]int
	numbers typeutil.Map
	points  map[ssa.Value][]Origin // results of pointsTo
	busy    map[ssa.Value]bool     // values for which pointsTo has not returned yet
}

// A store is an assignment of a value to a variable.
type store struct {
	root    ssa.Value     // the object that contains the variable
	dstPath accessPath    // leads from root to the variable
	src     ssa.Value     // the object that contains the value
	srcPath accessPath    // leads to the value, from the object that contains it
	fn      *ssa.Function // the function with the assignment
}

// New returns the Graph of code.
func New(code *program.Code) *Graph {
	g := &Graph{
		Code:     code,
		static:   map[*ssa.Function][]ssa.CallInstruction{},
		invoked:  map[string][]ssa.CallInstruction{},
		closures: map[*ssa.Function][]*ssa.MakeClosure{},
		stores:   map[int][]store{},
		escapes:  map[int][]store{},
		returns:  map[*ssa.Function][]*ssa.Return{},
		siteOf:   map[ssa.CallInstruction]int{},
		points:   map[ssa.Value][]Origin{},
		busy:     map[ssa.Value]bool{},

		// By default, nothing is known about functions without code.
		ResultArgs:  func(*ssa.Function, []ssa.Value) []ssa.Value { return nil },
		ReceiverArg: func(*ssa.CallCommon, string) ssa.Value { return nil },
		CallbackArg: func(*ssa.CallCommon) ssa.Value { return nil },
		IsLibrary:   func(*types.Func) bool { return false },
	}

	// Record the instructions that store, capture, return or pass values.
	for _, f := range code.Functions {
		for _, block := range f.Blocks {
			for _, instruction := range block.Instrs {
				g.collect(f, instruction)
			}
		}
	}
	return g
}

// collect records an instruction of f that stores, captures, returns or passes values.
func (g *Graph) collect(f *ssa.Function, instruction ssa.Instruction) {
	switch i := instruction.(type) {
	case *ssa.Store:
		root, path := g.location(i.Addr)
		g.addStore(store{root: root, dstPath: path, src: i.Val, fn: f})
	case *ssa.MapUpdate:
		g.addStore(store{root: i.Map, dstPath: mapped, src: i.Value, fn: f})
		g.addStore(store{root: i.Map, dstPath: mapKey, src: i.Key, fn: f})
	case *ssa.Send:
		g.addStore(store{root: i.Chan, dstPath: sent, src: i.X, fn: f})
	case *ssa.Select:
		for _, state := range i.States {
			if state.Dir == types.SendOnly {
				g.addStore(store{root: state.Chan, dstPath: sent, src: state.Send, fn: f})
			}
		}
	case *ssa.MakeClosure:
		callee := i.Fn.(*ssa.Function)
		g.closures[callee] = append(g.closures[callee], i)
	case *ssa.Return:
		g.returns[f] = append(g.returns[f], i)
	case ssa.CallInstruction:
		g.collectCall(f, i)
	}
}

func (g *Graph) addStore(s store) {
	n := g.shape(s.root.Type())
	g.stores[n] = append(g.stores[n], s)
}

// collectCall records a call in f in one of the lists of the graph, by the kind of function that it
// calls. Functions without code may change the variables to which their arguments point.
func (g *Graph) collectCall(f *ssa.Function, site ssa.CallInstruction) {
	g.siteOf[site] = len(g.sites)
	g.sites = append(g.sites, site)

	call := site.Common()
	if call.IsInvoke() {
		g.invoked[call.Method.Name()] = append(g.invoked[call.Method.Name()], site)
		g.collectEscapes(f, call)
		return
	}
	if builtin, ok := call.Value.(*ssa.Builtin); ok {
		if builtin.Name() == "copy" {
			g.collectCopy(f, call)
		}
		return
	}

	callee := call.StaticCallee()
	switch {
	case callee == nil:
		g.dynamic = append(g.dynamic, site)
		g.collectEscapes(f, call)
	case g.Code.Has(callee):
		g.static[callee] = append(g.static[callee], site)
	default:
		g.outside = append(g.outside, site)
		g.collectEscapes(f, call)
	}
}

// collectCopy records a call of the built-in function copy as a store of the elements of its source.
func (g *Graph) collectCopy(f *ssa.Function, call *ssa.CallCommon) {
	dst := call.Args[0]
	src := call.Args[1]
	// A string, which copy also takes as its source, holds no values.
	if !isString(src.Type()) {
		g.addStore(store{root: dst, dstPath: element, src: src, srcPath: element, fn: f})
	}
}

// collectEscapes records the pointers that a call in f passes to a function outside the analysis,
// which may change their variables.
func (g *Graph) collectEscapes(f *ssa.Function, call *ssa.CallCommon) {
	for _, arg := range call.Args {
		// A conversion to an interface does not hide the pointer.
		if box, ok := arg.(*ssa.MakeInterface); ok {
			arg = box.X
		}
		if !isPointer(arg.Type()) {
			continue
		}
		root, path := g.location(arg)
		shape := g.shape(root.Type())
		g.escapes[shape] = append(g.escapes[shape], store{root: root, dstPath: path, fn: f})
	}
}

// shape returns the number of a type, which all types with the same underlying type share because
// their values can be converted.
func (g *Graph) shape(t types.Type) int {
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		return g.number(types.NewPointer(pointer.Elem()))
	}
	return g.number(t.Underlying())
}

// number returns the number of a type, counted from 1 in the order of first use.
func (g *Graph) number(t types.Type) int {
	if n, ok := g.numbers.At(t).(int); ok {
		return n
	}

	n := g.numbers.Len() + 1
	g.numbers.Set(t, n)
	return n
}

func isPointer(t types.Type) bool {
	_, ok := t.Underlying().(*types.Pointer)
	return ok
}

func isString(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsString != 0
}

// Made returns the position at which the program uses f, a function without source that stands for a
// method value or a method expression. It returns token.NoPos if there is none.
func (g *Graph) Made(f *ssa.Function) token.Pos {
	for _, closure := range g.closures[f] {
		if closure.Pos().IsValid() {
			return closure.Pos()
		}
	}
	for _, site := range g.static[f] {
		if site.Pos().IsValid() {
			return site.Pos()
		}
	}
	return token.NoPos
}

// A Site is a call of a function.
type Site struct {
	Call  ssa.CallInstruction
	Stack string // the stack of a trace that has entered the function by this call only
}

// Sites returns the static calls of a function, in the order in which they were found.
func (g *Graph) Sites(f *ssa.Function) (all []Site) {
	for _, call := range g.static[f] {
		all = append(all, Site{Call: call, Stack: g.enter(call, "")})
	}
	return all
}

// Parts returns the origins of the interface values at most maxInside levels inside v.
//
// It leaves out unexported fields, which code of another package reaches only through methods.
func (g *Graph) Parts(v ssa.Value, stack string) (all []Part) {
	for _, p := range g.interfacePaths(v.Type(), "", maxInside) {
		all = append(all, Part{Type: p.typ, Origins: g.search(v, p.path, stack)})
	}
	return all
}

// A Part is an interface value inside another value.
type Part struct {
	Type    types.Type
	Origins []Origin
}

// maxInside is the number of levels at which Parts looks.
const maxInside = 4

// An interfacePath leads to an interface value of type typ.
type interfacePath struct {
	typ  types.Type
	path accessPath
}

// interfacePaths returns the paths to the interface values inside a value of type t, which is itself at
// path. It looks at most the given number of levels below the value.
func (g *Graph) interfacePaths(t types.Type, path accessPath, levels int) []interfacePath {
	if types.IsInterface(t) {
		return []interfacePath{{typ: t, path: path}}
	}
	if levels == 0 {
		return nil
	}

	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return g.interfacePaths(u.Elem(), path+deref, levels-1)
	case *types.Slice:
		return g.interfacePaths(u.Elem(), path+element, levels-1)
	case *types.Array:
		return g.interfacePaths(u.Elem(), path+element, levels-1)
	case *types.Map:
		return g.interfacePaths(u.Elem(), path+mapped, levels-1)
	case *types.Struct:
		var paths []interfacePath
		for i := range u.NumFields() {
			field := u.Field(i)
			if field.Exported() || field.Embedded() {
				paths = append(paths, g.interfacePaths(field.Type(), path+g.field(t, i), levels-1)...)
			}
		}
		return paths
	}
	return nil
}

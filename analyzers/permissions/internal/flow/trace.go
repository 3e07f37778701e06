package flow

import (
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// An Origin is a value at which a trace ends: a constant, a function, a call of a function without
// code, a variable, or a value that was put into an interface.
type Origin struct {
	Value ssa.Value
	Stack string // the calls by which the trace reached Value; see stack
	// Unknown is true if the trace cannot continue from Value. For example, Value is a parameter of
	// a function without known callers.
	Unknown bool
	// Zero is true if nothing is stored in the variable Value, or if the interface Value holds
	// another type.
	Zero bool
	path path
}

// A trace is one search for the origins of a value. It visits each state (value, path and stack)
// once.
type trace struct {
	g *Graph
	// text is true if the search is for a string. A function without code may change the string if
	// it gets a pointer to the variable.
	text bool
	// value is true if the search is for an interface value. A function without code may
	// set an interface variable if it gets a pointer to the variable. The search considers such a
	// function only if no analyzed code sets the variable.
	value   bool
	seen    map[Origin]bool
	work    []Origin
	origins []Origin
	found   map[Origin]bool
	visits  int       // number of visits, including those of states that were seen before
	cut     ssa.Value // a value whose path was too long to follow (isEndless), or nil
}

// Trace returns the origins of a value. stack has the calls that led to the value. If
// the stack is "", Trace follows all callers.
func (g *Graph) Trace(v ssa.Value, stack string) []Origin { return g.search(v, "", stack) }

// Field returns the origins of a field of v. index is the number of the field. v is a
// struct or a pointer to a struct.
func (g *Graph) Field(v ssa.Value, index int, stack string) []Origin {
	return g.Fields(v, []int{index}, stack)
}

// Fields returns the origins of a nested field of v. indexes are the numbers of the fields that
// lead to the nested field, from the outermost.
func (g *Graph) Fields(v ssa.Value, indexes []int, stack string) []Origin {
	t := v.Type()
	p := ""
	for _, index := range indexes {
		if isPointer(t) {
			p += deref
			t = pointed(t)
		}
		p += g.field(t, index)
		t = t.Underlying().(*types.Struct).Field(index).Type()
	}
	return g.search(v, p, stack)
}

// Elements returns the origins of the elements of a slice.
func (g *Graph) Elements(v ssa.Value, stack string) []Origin { return g.search(v, element, stack) }

// maxStates is the largest number of states of one search. If there are more, the search ends with
// an unknown origin.
const maxStates = 20_000

// search returns the origins of the value to which a path leads from v. calls has the calls that led
// to v.
func (g *Graph) search(v ssa.Value, sub path, calls stack) []Origin {
	t := &trace{
		g:     g,
		text:  isText(v.Type(), sub),
		value: sub == "" && types.IsInterface(v.Type()),
		seen:  map[Origin]bool{},
		found: map[Origin]bool{},
	}
	t.visit(v, sub, calls)
	for len(t.work) > 0 {
		next := t.work[len(t.work)-1]
		t.work = t.work[:len(t.work)-1]
		t.step(next.Value, next.path, next.Stack)
		if len(t.seen) > maxStates {
			t.unknown(v, calls)
			return t.origins
		}
	}
	if t.cut != nil && len(t.origins) == 0 {
		t.unknown(t.cut, calls)
	}
	return t.origins
}

// isText reports whether the given path leads from a value of type t to a string.
func isText(t types.Type, sub path) bool {
	for sub != "" && t != nil {
		var step string
		step, sub, _ = strings.Cut(sub, ";")
		switch u := t.Underlying().(type) {
		case *types.Pointer:
			t = u.Elem()
		case *types.Slice:
			t = u.Elem()
		case *types.Struct:
			index, ok := fieldOf(step)
			if !ok || index >= u.NumFields() {
				return false
			}
			t = u.Field(index).Type()
		default:
			return false
		}
	}
	return t != nil && isString(t)
}

// visit adds a state to the work of the search, unless it was added before.
func (t *trace) visit(v ssa.Value, sub path, calls stack) {
	t.visits++
	if isEndless(sub) {
		t.cut = v
		return
	}
	state := Origin{Value: v, path: sub, Stack: calls}
	if !t.seen[state] {
		t.seen[state] = true
		t.work = append(t.work, state)
	}
}

// origin adds v as an origin.
func (t *trace) origin(v ssa.Value, calls stack) { t.add(Origin{Value: v, Stack: calls}) }

// unknown adds an unknown origin at v.
func (t *trace) unknown(v ssa.Value, calls stack) {
	t.add(Origin{Value: v, Stack: calls, Unknown: true})
}

// add adds an origin, unless the trace has found it before.
func (t *trace) add(o Origin) {
	if !t.found[o] {
		t.found[o] = true
		t.origins = append(t.origins, o)
	}
}

// step continues a trace for a value inside v. The given path leads from v to that value. If the
// path is "", the value is v itself. step visits all values that the value can come from.
func (t *trace) step(v ssa.Value, sub path, calls stack) {
	switch v := v.(type) {
	case *ssa.Const:
		if sub == "" {
			t.origin(v, calls)
		}
	case *ssa.Phi:
		for _, edge := range v.Edges {
			t.visit(edge, sub, calls)
		}
	case *ssa.ChangeType:
		t.visit(v.X, sub, calls)
	case *ssa.ChangeInterface:
		t.visit(v.X, sub, calls)
	case *ssa.Convert:
		t.visit(v.X, sub, calls)
	case *ssa.MultiConvert:
		t.visit(v.X, sub, calls)
	case *ssa.MakeInterface:
		t.stepBox(v, sub, calls)
	case *ssa.TypeAssert:
		t.stepAssert(v, sub, calls)
	case *ssa.Extract:
		t.stepExtract(v, sub, calls)
	case *ssa.Field:
		t.visit(v.X, t.g.field(v.X.Type(), v.Field)+sub, calls)
	case *ssa.Parameter:
		t.parameter(v, sub, calls)
	case *ssa.FreeVar:
		t.freeVar(v, sub)
	case *ssa.Call:
		t.call(v, sub, calls)
	default:
		t.stepMemory(v, sub, calls)
	}
}

// stepMemory is the part of step for values that are read from variables, slices, maps and
// channels.
func (t *trace) stepMemory(v ssa.Value, sub path, calls stack) {
	switch v := v.(type) {
	case *ssa.UnOp:
		t.stepUnary(v, sub, calls)
	case *ssa.FieldAddr:
		if rest, ok := strings.CutPrefix(sub, deref); ok {
			t.visit(v.X, deref+t.g.field(v.X.Type(), v.Field)+rest, calls)
			return
		}
		t.origin(v, calls)
	case *ssa.IndexAddr:
		rest, ok := strings.CutPrefix(sub, deref)
		switch {
		case !ok:
			t.origin(v, calls)
		case isPointer(v.X.Type()):
			t.visit(v.X, deref+element+rest, calls)
		default:
			t.visit(v.X, element+rest, calls)
		}
	case *ssa.Index:
		t.visit(v.X, element+sub, calls)
	case *ssa.Lookup:
		_, sub = cutResult(sub)
		t.visit(v.X, mapped+sub, calls)
	case *ssa.Slice:
		if isPointer(v.X.Type()) && sub != "" {
			sub = deref + sub
		}
		t.visit(v.X, sub, calls)
	case *ssa.Alloc, *ssa.MakeMap, *ssa.MakeSlice, *ssa.MakeChan, *ssa.Global:
		if sub == "" {
			t.origin(v, calls)
			return
		}
		t.contents(v, sub, calls)
	case *ssa.Function, *ssa.MakeClosure, *ssa.Builtin:
		t.origin(v, calls)
	default:
		t.unknown(v, calls)
	}
}

// stepUnary is the part of step for values that are read through a pointer or from a channel.
func (t *trace) stepUnary(v *ssa.UnOp, sub path, calls stack) {
	switch v.Op {
	case token.MUL:
		t.visit(v.X, deref+sub, calls)
	case token.ARROW:
		_, sub = cutResult(sub)
		t.visit(v.X, sent+sub, calls)
	default:
		t.unknown(v, calls)
	}
}

// stepBox continues a trace from an interface value to the value in it. If the path asserts another
// type than that of the value, stepBox adds an origin with Zero.
func (t *trace) stepBox(v *ssa.MakeInterface, sub path, calls stack) {
	if sub == "" {
		t.origin(v, calls)
		return
	}
	if !strings.HasPrefix(sub, "!") {
		t.visit(v.X, sub, calls)
		return
	}
	rest, ok := strings.CutPrefix(sub, t.g.assert(v.X.Type()))
	if !ok {
		t.add(Origin{Value: v, Zero: true})
		return
	}
	t.visit(v.X, rest, calls)
}

// stepAssert continues a trace from the result of a type assertion to the interface value.
func (t *trace) stepAssert(v *ssa.TypeAssert, sub path, calls stack) {
	if v.CommaOk {
		_, sub = cutResult(sub)
	}
	t.visit(v.X, t.g.assert(v.AssertedType)+sub, calls)
}

// assert returns the step from an interface value to the value in it, if that value has the given
// type.
func (g *Graph) assert(typ types.Type) path {
	if types.IsInterface(typ) {
		return ""
	}
	return "!" + strconv.Itoa(g.number(typ)) + ";"
}

// stepExtract continues a trace from one of several results of an instruction.
func (t *trace) stepExtract(v *ssa.Extract, sub path, calls stack) {
	switch tuple := v.Tuple.(type) {
	case *ssa.Next:
		t.stepNext(v, tuple, sub, calls)
	case *ssa.Select:
		t.stepSelect(v, tuple, sub, calls)
	default:
		t.visit(tuple, result(v.Index)+sub, calls)
	}
}

// stepNext continues a trace from a key or a value of an iteration to the map. The results of an
// iteration are whether there is an element, its key and its value.
func (t *trace) stepNext(v *ssa.Extract, next *ssa.Next, sub path, calls stack) {
	iteration, ok := next.Iter.(*ssa.Range)
	if !ok || next.IsString {
		t.unknown(v, calls)
		return
	}
	switch v.Index {
	case 1:
		t.visit(iteration.X, mapKey+sub, calls)
	case 2:
		t.visit(iteration.X, mapped+sub, calls)
	}
}

// stepSelect continues a trace from a value that a select received to its channel. The first two
// results of a select are its case and whether it received a value. The received values follow.
func (t *trace) stepSelect(v *ssa.Extract, sel *ssa.Select, sub path, calls stack) {
	index := 2
	for _, state := range sel.States {
		if state.Dir != types.RecvOnly {
			continue
		}
		if index == v.Index {
			t.visit(state.Chan, sent+sub, calls)
		}
		index++
	}
}

// freeVar continues a trace from a captured variable of a function. It visits the values that the
// closures of that function have captured for the variable.
func (t *trace) freeVar(v *ssa.FreeVar, sub path) {
	f := v.Parent()
	index := slices.Index(f.FreeVars, v)
	for _, closure := range t.g.closures[f] {
		t.visit(closure.Bindings[index], sub, "")
	}
}

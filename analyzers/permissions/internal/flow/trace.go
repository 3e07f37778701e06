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
	Stack string // the calls by which the trace reached Value; see callStack
	// Unknown is true if the trace cannot continue from Value. For example, Value is a parameter of
	// a function without known callers.
	Unknown bool
	// Zero is true if nothing is stored in the variable Value, or if the interface Value holds
	// another type.
	Zero bool
	path accessPath
}

// A trace is one search for the origins of a value. It visits each state (value, path and stack)
// once.
type trace struct {
	g *Graph
	// wantsText is true if the search is for a string. A function without code may change the string
	// if it gets a pointer to the variable.
	wantsText bool
	// wantsInterface is true if the search is for an interface value. A function without code may
	// set an interface variable if it gets a pointer to the variable. The search considers such a
	// function only if no analyzed code sets the variable.
	wantsInterface bool

	seen      map[Origin]bool // states that were in work at some time
	work      []Origin        // states from which the search has not continued yet
	origins   []Origin
	found     map[Origin]bool // the same origins as a set
	visits    int             // number of visits, including those of states that were seen before
	unvisited ssa.Value       // a value whose path was too long to follow (isEndless), or nil
}

// Trace returns the origins of a value to which the calls of the stack led, or those by way of all
// callers if the stack is "".
func (g *Graph) Trace(v ssa.Value, stack string) []Origin { return g.search(v, "", stack) }

// Field returns the origins of the field at index of v, a struct or a pointer to one.
func (g *Graph) Field(v ssa.Value, index int, stack string) []Origin {
	return g.Fields(v, []int{index}, stack)
}

// Fields returns the origins of a nested field of v, a struct or a pointer to one. The indexes are those of a field of
// v, of a field of that field, and so on.
func (g *Graph) Fields(v ssa.Value, indexes []int, stack string) []Origin {
	t := v.Type()
	path := ""
	for _, index := range indexes {
		if isPointer(t) {
			path += deref
			t = pointed(t)
		}
		path += g.field(t, index)
		t = t.Underlying().(*types.Struct).Field(index).Type()
	}
	return g.search(v, path, stack)
}

// Elements returns the origins of the elements of a slice.
func (g *Graph) Elements(v ssa.Value, stack string) []Origin { return g.search(v, element, stack) }

// maxStates is the largest number of states of one search. If there are more, the search ends with
// an unknown origin.
const maxStates = 20_000

// search returns the origins of the value to which a path leads from v. The stack has the calls that
// led to v.
//
// If the search ends early, after more than maxStates states, one of the origins is unknown.
func (g *Graph) search(v ssa.Value, path accessPath, stack callStack) []Origin {
	t := &trace{
		g:              g,
		wantsText:      isText(v.Type(), path),
		wantsInterface: path == "" && types.IsInterface(v.Type()),
		seen:           map[Origin]bool{},
		found:          map[Origin]bool{},
	}

	t.visit(v, path, stack)
	for len(t.work) > 0 && len(t.seen) <= maxStates {
		last := len(t.work) - 1
		state := t.work[last]
		t.work = t.work[:last]
		t.step(state.Value, state.path, state.Stack)
	}
	if len(t.seen) > maxStates {
		t.addUnknown(v, stack)
		return t.origins
	}

	// The search follows no endless paths. If it has found no origin, such a path may have led to one.
	if len(t.origins) == 0 && t.unvisited != nil {
		t.addUnknown(t.unvisited, stack)
	}
	return t.origins
}

// isText reports whether a path through pointers, slices and structs leads from a value of type t
// to a string.
func isText(t types.Type, path accessPath) bool {
	for path != "" && t != nil {
		var step string
		step, path, _ = strings.Cut(path, ";")
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

// visit adds v to the values from which the search continues. path leads from v to the wanted value, and
// stack has the calls by which the trace reached v. A state that was seen before is not added again.
// A state whose path is too long is only noted in t.unvisited.
func (t *trace) visit(v ssa.Value, path accessPath, stack callStack) {
	t.visits++
	if isEndless(path) {
		t.unvisited = v
		return
	}
	state := Origin{Value: v, path: path, Stack: stack}
	if !t.seen[state] {
		t.seen[state] = true
		t.work = append(t.work, state)
	}
}

// addOrigin adds v as an origin.
func (t *trace) addOrigin(v ssa.Value, stack callStack) { t.add(Origin{Value: v, Stack: stack}) }

// addUnknown adds an unknown origin at v.
func (t *trace) addUnknown(v ssa.Value, stack callStack) {
	t.add(Origin{Value: v, Stack: stack, Unknown: true})
}

// add adds an origin that the trace has not found before.
func (t *trace) add(origin Origin) {
	if !t.found[origin] {
		t.found[origin] = true
		t.origins = append(t.origins, origin)
	}
}

// step continues a trace by one step from v to all values from which the value at path inside v can
// come. Such a value is traced with the path to it from there.
func (t *trace) step(v ssa.Value, path accessPath, stack callStack) {
	switch v := v.(type) {
	case *ssa.Const:
		// A constant, such as nil, has no values inside.
		if path == "" {
			t.addOrigin(v, stack)
		}
	case *ssa.Phi:
		for _, edge := range v.Edges {
			t.visit(edge, path, stack)
		}
	case *ssa.ChangeType:
		t.visit(v.X, path, stack)
	case *ssa.ChangeInterface:
		t.visit(v.X, path, stack)
	case *ssa.Convert:
		t.visit(v.X, path, stack)
	case *ssa.MultiConvert:
		t.visit(v.X, path, stack)
	case *ssa.MakeInterface:
		t.stepBox(v, path, stack)
	case *ssa.TypeAssert:
		t.stepAssert(v, path, stack)
	case *ssa.Extract:
		t.stepExtract(v, path, stack)
	case *ssa.Field:
		// Seen from the struct v.X, the value is inside the field.
		t.visit(v.X, t.g.field(v.X.Type(), v.Field)+path, stack)
	case *ssa.Parameter:
		t.stepParameter(v, path, stack)
	case *ssa.FreeVar:
		t.stepFreeVar(v, path)
	case *ssa.Call:
		t.stepCall(v, path, stack)
	default:
		t.stepMemory(v, path, stack)
	}
}

// stepMemory traces a value read from a variable, slice, map or channel back to the values that were
// traceAssignments there.
func (t *trace) stepMemory(v ssa.Value, path accessPath, stack callStack) {
	switch v := v.(type) {
	case *ssa.UnOp:
		t.stepUnary(v, path, stack)
	case *ssa.FieldAddr:
		t.stepFieldAddr(v, path, stack)
	case *ssa.IndexAddr:
		t.stepIndexAddr(v, path, stack)
	case *ssa.Index:
		t.visit(v.X, element+path, stack)
	case *ssa.Lookup:
		// The first result of value, ok := m[key] is the value.
		_, path = cutResult(path)
		t.visit(v.X, mapped+path, stack)
	case *ssa.Slice:
		// If v.X points to an array, the values in the slice are behind the pointer.
		if isPointer(v.X.Type()) && path != "" {
			path = deref + path
		}
		t.visit(v.X, path, stack)
	case *ssa.Alloc, *ssa.MakeMap, *ssa.MakeSlice, *ssa.MakeChan, *ssa.Global:
		if path == "" {
			t.addOrigin(v, stack)
			return
		}
		t.traceContents(v, path, stack)
	case *ssa.Function, *ssa.MakeClosure, *ssa.Builtin:
		t.addOrigin(v, stack)
	default:
		t.addUnknown(v, stack)
	}
}

// stepFieldAddr traces a value read through the address of a field back to the struct. If the address
// is itself the traced value, it ends the trace there.
func (t *trace) stepFieldAddr(v *ssa.FieldAddr, path accessPath, stack callStack) {
	rest, isRead := strings.CutPrefix(path, deref)
	if !isRead {
		t.addOrigin(v, stack)
		return
	}
	t.visit(v.X, deref+t.g.field(v.X.Type(), v.Field)+rest, stack)
}

// stepIndexAddr traces a value read through the address of an element back to the array or slice. If
// the address is itself the traced value, it ends the trace there.
func (t *trace) stepIndexAddr(v *ssa.IndexAddr, path accessPath, stack callStack) {
	rest, isRead := strings.CutPrefix(path, deref)
	if !isRead {
		t.addOrigin(v, stack)
		return
	}
	if isPointer(v.X.Type()) {
		// v.X points to an array.
		t.visit(v.X, deref+element+rest, stack)
		return
	}
	t.visit(v.X, element+rest, stack)
}

// stepUnary traces a value that is read through a pointer or received from a channel back to the
// pointer or the channel.
func (t *trace) stepUnary(v *ssa.UnOp, path accessPath, stack callStack) {
	switch v.Op {
	case token.MUL:
		t.visit(v.X, deref+path, stack)
	case token.ARROW:
		// The first result of value, ok := <-c is the value.
		_, path = cutResult(path)
		t.visit(v.X, sent+path, stack)
	default:
		t.addUnknown(v, stack)
	}
}

// stepBox traces an interface value back to the value in it. If the interface value is itself the
// traced value, it ends the trace there.
func (t *trace) stepBox(v *ssa.MakeInterface, path accessPath, stack callStack) {
	if path == "" {
		t.addOrigin(v, stack)
		return
	}

	// A path that begins with a type assertion, such as "!7;", is only for values of its type.
	isAssertion := strings.HasPrefix(path, "!")
	if !isAssertion {
		t.visit(v.X, path, stack)
		return
	}
	rest, hasType := strings.CutPrefix(path, t.g.assert(v.X.Type()))
	if !hasType {
		// The assertion fails, so its result is the zero value.
		t.add(Origin{Value: v, Zero: true})
		return
	}
	t.visit(v.X, rest, stack)
}

// stepAssert traces the result of a type assertion back to the interface value.
func (t *trace) stepAssert(v *ssa.TypeAssert, path accessPath, stack callStack) {
	if v.CommaOk {
		// The first result of value, ok := x.(T) is the value.
		_, path = cutResult(path)
	}
	t.visit(v.X, t.g.assert(v.AssertedType)+path, stack)
}

// assert returns the step from an interface value to the value in it for a type assertion.
func (g *Graph) assert(typ types.Type) accessPath {
	if types.IsInterface(typ) {
		return ""
	}
	return "!" + strconv.Itoa(g.number(typ)) + ";"
}

// stepExtract traces one of several results of an instruction back to the instruction.
func (t *trace) stepExtract(v *ssa.Extract, path accessPath, stack callStack) {
	switch tuple := v.Tuple.(type) {
	case *ssa.Next:
		t.stepNext(v, tuple, path, stack)
	case *ssa.Select:
		t.stepSelect(v, tuple, path, stack)
	default:
		t.visit(tuple, result(v.Index)+path, stack)
	}
}

// stepNext traces a key or a value of an iteration back to the map.
func (t *trace) stepNext(v *ssa.Extract, next *ssa.Next, path accessPath, stack callStack) {
	iteration, ok := next.Iter.(*ssa.Range)
	if !ok || next.IsString {
		t.addUnknown(v, stack)
		return
	}

	// Result 0 reports whether there is an element.
	switch v.Index {
	case 1:
		t.visit(iteration.X, mapKey+path, stack)
	case 2:
		t.visit(iteration.X, mapped+path, stack)
	}
}

// stepSelect traces a value that a select received back to its channel.
func (t *trace) stepSelect(v *ssa.Extract, sel *ssa.Select, path accessPath, stack callStack) {
	// The index of the chosen case and a bool come before the received values.
	const firstReceived = 2
	index := firstReceived
	for _, state := range sel.States {
		if state.Dir != types.RecvOnly {
			continue
		}
		if index == v.Index {
			t.visit(state.Chan, sent+path, stack)
		}
		index++
	}
}

// stepFreeVar traces a captured variable back to the values that closures have captured for it.
func (t *trace) stepFreeVar(v *ssa.FreeVar, path accessPath) {
	f := v.Parent()
	index := slices.Index(f.FreeVars, v)
	for _, closure := range t.g.closures[f] {
		t.visit(closure.Bindings[index], path, anyCalls)
	}
}

package flow

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// traceContents continues a trace with the values that were stored at path inside a variable, slice, map or
// channel.
func (t *trace) traceContents(object ssa.Value, path accessPath, stack callStack) {
	isStored := t.traceStores(object, path, stack)
	if t.isSetElsewhere(object, isStored) {
		t.addUnknown(object, stack)
		return
	}
	if !isStored {
		t.add(Origin{Value: object, Zero: true})
	}
}

// traceStores continues a trace with the values that the analyzed code stores at path inside an object,
// and reports whether there are any. It adds an unknown origin if other code may store a value there.
func (t *trace) traceStores(object ssa.Value, path accessPath, stack callStack) bool {
	isStored := false
	for _, d := range t.g.destinations(object, path) {
		if t.traceAssignments(object, d, stack) {
			isStored = true
		}
		// Code outside the analysis may change a text at any time. It is expected to set an interface
		// only if the analyzed code does not.
		mayBeSetOutside := t.wantsText || (t.wantsInterface && !isStored)
		if mayBeSetOutside {
			t.addEscaped(object, d, stack)
		}
	}

	isFieldStored := t.traceFieldStores(object, path)
	return isStored || isFieldStored
}

// isSetElsewhere reports whether an object is a global variable that code outside the analysis may set.
// isStored is true if analyzed code sets it.
func (t *trace) isSetElsewhere(object ssa.Value, isStored bool) bool {
	global, isGlobal := object.(*ssa.Global)
	if !isGlobal {
		return false
	}
	if !t.g.hasCode(global) {
		return true
	}
	// The linker may set a string variable that the code does not set.
	return t.wantsText && !isStored
}

// A destination is the form in which assignments to a variable are recorded: the shape of the
// object with the variable, and the path from the object to the variable.
type destination struct {
	shape int // see Graph.shape
	path  accessPath
}

// destinations returns the forms in which assignments to the variable at path inside an object may be
// recorded.
func (g *Graph) destinations(object ssa.Value, path accessPath) []destination {
	direct := destination{shape: g.shape(object.Type()), path: path}
	array, isArray := arrayOf(object.Type())
	inArray, hasDeref := strings.CutPrefix(path, deref)
	if !isArray || !hasDeref || inArray == "" {
		return []destination{direct}
	}

	// An assignment through a slice of the array changes the array, too.
	slice := types.NewSlice(array.Elem())
	throughSlice := destination{shape: g.number(slice), path: inArray}
	return []destination{direct, throughSlice}
}

// traceAssignments continues a trace with the values that assignments to d have stored in an object, and reports
// whether there are any. The value may have been stored by itself, or inside a struct.
func (t *trace) traceAssignments(object ssa.Value, d destination, stack callStack) bool {
	isStored := false
	for _, s := range t.g.stores[d.shape] {
		// The path of the assignment may end at a struct around the variable. The rest of the path
		// then leads from the struct to the variable.
		rest, ok := strings.CutPrefix(d.path, s.dstPath)
		if !ok || !t.g.mayBe(s.root, object) {
			continue
		}
		for _, storeStack := range t.g.storingStacks(s, object, stack) {
			t.visit(s.src, s.srcPath+rest, storeStack)
			isStored = true
		}
	}
	return isStored
}

// storingStacks returns the stacks with which the function of the store s may have stored a value in
// an object. stack is that of the trace at the object. If the calls are not known, the result is
// anyCalls.
func (g *Graph) storingStacks(s store, object ssa.Value, stack callStack) []callStack {
	if s.fn == object.Parent() {
		// The function that made the object also stored the value.
		return []callStack{stack}
	}

	param, isParam := s.root.(*ssa.Parameter)
	hasUnknownCalls := g.Code.Values[s.fn] || g.isInvoked(s.fn)
	if !isParam || hasUnknownCalls {
		return []callStack{anyCalls}
	}

	// The storing function received the object as an argument of one of these calls.
	var stacks []callStack
	for _, site := range g.static[s.fn] {
		arg := argumentOf(site.Common(), indexOf(s.fn, param))
		if arg == nil || !g.mayBe(arg, object) {
			continue
		}
		callers := anyCalls
		if site.Parent() == object.Parent() {
			// The caller is the function that made the object, so its own calls are known.
			callers = stack
		}
		stacks = append(stacks, g.enter(site, callers))
	}
	return stacks
}

// hasCode reports whether the code of the package of a global variable is analyzed.
func (g *Graph) hasCode(global *ssa.Global) bool {
	init := global.Pkg.Func("init")
	return init != nil && len(init.Blocks) > 0
}

// isInvoked reports whether a call of an interface method may run f.
func (g *Graph) isInvoked(f *ssa.Function) bool {
	return f.Signature.Recv() != nil && (len(g.invoked[f.Name()]) > 0 || g.Code.Foreign[f])
}

// addEscaped adds an unknown origin if a function outside the analysis received a pointer to the
// variable at the destination d inside the object.
func (t *trace) addEscaped(object ssa.Value, d destination, stack callStack) {
	for _, e := range t.g.escapes[d.shape] {
		if strings.HasPrefix(d.path, e.dstPath) && t.g.mayBe(e.root, object) {
			t.addUnknown(object, stack)
		}
	}
}

// traceFieldStores continues a trace with the values stored in a field of the object through a pointer to
// the field, as by p := &object.name; *p = value. It reports whether there are any. Such an assignment
// is recorded for the pointer, and not for the object.
func (t *trace) traceFieldStores(object ssa.Value, path accessPath) (isStored bool) {
	index, inField, ok := cutField(path)
	if !ok {
		return false
	}
	typ := pointed(object.Type())
	structType, ok := typ.Underlying().(*types.Struct)
	if !ok {
		return false
	}

	// Look at the stores through all pointers of the field's type that may point to this field.
	pointer := types.NewPointer(structType.Field(index).Type())
	fromPointer := deref + inField
	for _, s := range t.g.stores[t.g.number(pointer)] {
		rest, ok := strings.CutPrefix(fromPointer, s.dstPath)
		if ok && t.g.mayBeField(s.root, typ, index) {
			t.visit(s.src, s.srcPath+rest, anyCalls)
			isStored = true
		}
	}
	return isStored
}

// cutField splits a path from a pointer to a field of its struct, such as "*;f3.9;", into the
// number of the field and the rest. ok is false for any other path.
func cutField(path accessPath) (index int, inField accessPath, ok bool) {
	inObject, ok := strings.CutPrefix(path, deref)
	if !ok {
		return 0, "", false
	}
	step, inField, _ := strings.Cut(inObject, ";")
	index, ok = fieldOf(step)
	return index, inField, ok
}

// mayBe reports whether root may be the object or point to it. As long as the origins of root are
// not known, it returns true.
func (g *Graph) mayBe(root, object ssa.Value) bool {
	if root == object {
		return true
	}
	for _, o := range g.pointsTo(root) {
		if o.Value == object || o.Unknown {
			return true
		}
		if _, ok := o.Value.(*ssa.Call); ok {
			// The result of a call may be any object of its type.
			return true
		}
	}
	return g.busy[root]
}

// mayBeField reports whether root may point to the field of a struct type at index.
func (g *Graph) mayBeField(root ssa.Value, typ types.Type, index int) bool {
	return slices.ContainsFunc(g.pointsTo(root), func(o Origin) bool {
		address, ok := o.Value.(*ssa.FieldAddr)
		return ok && address.Field == index && types.Identical(pointed(address.X.Type()), typ)
	})
}

// pointsTo returns the origins of a value and keeps them in g.points.
//
// It returns nil while g.busy has the value, because the search for its origins is still running.
func (g *Graph) pointsTo(root ssa.Value) []Origin {
	if origins, ok := g.points[root]; ok {
		return origins
	}
	if g.busy[root] {
		return nil
	}
	g.busy[root] = true
	defer delete(g.busy, root)

	origins := g.search(root, "", anyCalls)
	g.points[root] = origins
	return origins
}

// pointed returns the type that a pointer type points to, or t for another type.
func pointed(t types.Type) types.Type {
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		return pointer.Elem()
	}
	return t
}

// arrayOf returns the type of an array, or of the array that a pointer points to.
func arrayOf(t types.Type) (*types.Array, bool) {
	array, ok := pointed(t).Underlying().(*types.Array)
	return array, ok
}

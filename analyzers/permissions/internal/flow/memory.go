package flow

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// contents continues a trace to the values that were stored inside an object. The object is a
// variable, slice, map or channel. The given path leads from the object to these values.
func (t *trace) contents(object ssa.Value, path accessPath, stack callStack) {
	// An assignment is found by the type of the object that it names. See the method shape.
	type target struct {
		shape int
		path  accessPath
	}
	targets := []target{{shape: t.g.shape(object.Type()), path: path}}
	if array, isArray := arrayOf(object.Type()); isArray {
		// An assignment through a slice of the array changes the array, too.
		inArray, ok := strings.CutPrefix(path, deref)
		if ok && inArray != "" {
			slice := types.NewSlice(array.Elem())
			targets = append(targets, target{shape: t.g.number(slice), path: inArray})
		}
	}

	visitsBefore := t.visits
	for _, target := range targets {
		for _, s := range t.g.stores[target.shape] {
			rest, ok := strings.CutPrefix(target.path, s.dstPath)
			if ok && t.g.mayBe(s.root, object) {
				t.visitStored(s, s.srcPath+rest, object, stack)
			}
		}
		isStored := t.visits > visitsBefore
		if t.text || t.value && !isStored {
			t.addEscaped(object, target.shape, target.path, stack)
		}
	}
	t.fieldStores(object, path)
	isStored := t.visits > visitsBefore

	if global, ok := object.(*ssa.Global); ok {
		// Code that is not analyzed may set the variables of its own package. The linker may set a
		// string variable. In both cases, the value is unknown.
		if !t.g.hasCode(global) || t.text && !isStored {
			t.unknown(object, stack)
			return
		}
	}
	if !isStored {
		t.add(Origin{Value: object, Zero: true})
	}
}

// visitStored continues a trace to the value that s has stored in an object. The stack of the trace
// must lead to the function with the assignment.
func (t *trace) visitStored(s store, path accessPath, object ssa.Value, stack callStack) {
	if s.fn == object.Parent() {
		// The function that made the object also stored the value.
		t.visit(s.src, path, stack)
		return
	}
	param, ok := s.root.(*ssa.Parameter)
	if !ok || t.g.Code.Values[s.fn] || t.g.isInvoked(s.fn) {
		// Not all calls of the function are known, so the trace follows all of them.
		t.visit(s.src, path, "")
		return
	}

	// The function received the object as an argument of one of these calls.
	for _, site := range t.g.static[s.fn] {
		arg := argumentOf(site.Common(), indexOf(s.fn, param))
		if arg == nil || !t.g.mayBe(arg, object) {
			continue
		}
		callers := ""
		if site.Parent() == object.Parent() {
			callers = stack
		}
		t.visit(s.src, path, push(t.g.siteOf[site], callers))
	}
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

// addEscaped adds an unknown origin if a pointer to a variable inside the object was passed to a
// function whose code is not analyzed. That function may change the variable. path leads from the
// object to the variable. shape is the number of the object's type, by which g.escapes is sorted.
func (t *trace) addEscaped(object ssa.Value, shape int, path accessPath, stack callStack) {
	for _, e := range t.g.escapes[shape] {
		if strings.HasPrefix(path, e.dstPath) && t.g.mayBe(e.root, object) {
			t.unknown(object, stack)
		}
	}
}

// fieldStores continues a trace to the values that were stored in a field of the object through a
// pointer to the field, as by p := &object.name; *p = value. path leads from the object to the value.
func (t *trace) fieldStores(object ssa.Value, path accessPath) {
	// The path must begin with the steps to the variable and to its field.
	inObject, ok := strings.CutPrefix(path, deref)
	if !ok {
		return
	}
	step, inField, _ := strings.Cut(inObject, ";")
	index, ok := fieldOf(step)
	if !ok {
		return
	}
	typ := pointed(object.Type())
	structType, ok := typ.Underlying().(*types.Struct)
	if !ok {
		return
	}

	pointer := types.NewPointer(structType.Field(index).Type())
	for _, s := range t.g.stores[t.g.number(pointer)] {
		rest, ok := strings.CutPrefix(deref+inField, s.dstPath)
		if ok && t.g.mayBeField(s.root, typ, index) {
			t.visit(s.src, s.srcPath+rest, "")
		}
	}
}

// mayBe reports whether root may be the object, or points to it. If that is not known yet, because
// the origins of root are being searched, it returns true.
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

// mayBeField reports whether root may point to field number index of a struct type.
func (g *Graph) mayBeField(root ssa.Value, typ types.Type, index int) bool {
	for _, o := range g.pointsTo(root) {
		if f, ok := o.Value.(*ssa.FieldAddr); ok && f.Field == index && types.Identical(pointed(f.X.Type()), typ) {
			return true
		}
	}
	return false
}

// pointsTo returns the origins of a value. It keeps them in g.points.
//
// A search for the origins of a value may ask for the origins of the same value. pointsTo then returns
// nil, and g.busy of the value is true.
func (g *Graph) pointsTo(root ssa.Value) []Origin {
	if origins, ok := g.points[root]; ok {
		return origins
	}
	if g.busy[root] {
		return nil
	}
	g.busy[root] = true
	defer delete(g.busy, root)

	origins := g.search(root, "", "")
	g.points[root] = origins
	return origins
}

// pointed returns the type that a pointer type points to, or t if it is not a pointer type.
func pointed(t types.Type) types.Type {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// arrayOf returns the type of an array, or of the array that a pointer points to.
func arrayOf(t types.Type) (*types.Array, bool) {
	array, ok := pointed(t).Underlying().(*types.Array)
	return array, ok
}

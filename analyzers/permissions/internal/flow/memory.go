package flow

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// contents continues a trace to the values that were stored at path inside a variable, slice, map
// or channel.
func (t *trace) contents(object ssa.Value, path accessPath, stack callStack) {
	// The shape of the object's type finds the assignments.
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
		// Code outside the analysis may set variables of its own package, and the linker a string variable.
		mayBeLinked := t.text && !isStored
		if !t.g.hasCode(global) || mayBeLinked {
			t.unknown(object, stack)
			return
		}
	}
	if !isStored {
		t.add(Origin{Value: object, Zero: true})
	}
}

// visitStored continues a trace to the value that s has stored in an object, with a stack that
// leads to the storing function.
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

// addEscaped adds an unknown origin if a function outside the analysis received a pointer to the
// variable at path inside the object.
//
// The shape is that of the object's type.
func (t *trace) addEscaped(object ssa.Value, shape int, path accessPath, stack callStack) {
	for _, e := range t.g.escapes[shape] {
		if strings.HasPrefix(path, e.dstPath) && t.g.mayBe(e.root, object) {
			t.unknown(object, stack)
		}
	}
}

// fieldStores continues a trace to the values stored in a field of the object through a pointer, as
// by p := &object.name; *p = value.
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

// mayBe reports whether root may be the object or point to it, which is true as long as the origins
// of root are not known.
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

	origins := g.search(root, "", "")
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

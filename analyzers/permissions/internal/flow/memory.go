package flow

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// contents continues a trace to the values that were stored inside an object. The object is a
// variable, slice, map or channel. The given path leads from the object to these values.
func (t *trace) contents(object ssa.Value, sub path, calls stack) {
	type target struct {
		shape int
		sub   path
	}
	targets := []target{{t.g.shape(object.Type()), sub}}
	if array, ok := arrayOf(object.Type()); ok {
		// An assignment through a slice of the array changes the array, too.
		if rest, ok := strings.CutPrefix(sub, deref); ok && rest != "" {
			targets = append(targets, target{t.g.number(types.NewSlice(array.Elem())), rest})
		}
	}

	before := t.visits
	for _, target := range targets {
		for _, s := range t.g.stores[target.shape] {
			rest, ok := strings.CutPrefix(target.sub, s.dstPath)
			if ok && t.g.mayBe(s.root, object) {
				t.visitStored(s, s.srcPath+rest, object, calls)
			}
		}
		if t.text || t.value && t.visits == before {
			t.addEscaped(object, target.shape, target.sub, calls)
		}
	}
	t.inner(object, sub)
	isStored := t.visits > before

	if global, ok := object.(*ssa.Global); ok {
		// Code that is not analyzed may set the variables of its own package. The linker may set a
		// string variable. In both cases, the value is unknown.
		if !t.g.hasCode(global) || t.text && !isStored {
			t.unknown(object, calls)
			return
		}
	}
	if !isStored {
		t.add(Origin{Value: object, Zero: true})
	}
}

// visitStored continues a trace to a stored value. If the function that made the object also stored
// the value, the stack stays the same. Another function may have received the object as an argument
// and stored the value. In this case, visitStored adds the call of that function to the stack.
func (t *trace) visitStored(s store, sub path, object ssa.Value, calls stack) {
	if s.fn == object.Parent() {
		t.visit(s.src, sub, calls)
		return
	}
	p, ok := s.root.(*ssa.Parameter)
	if !ok || t.g.Code.Values[s.fn] || t.g.isInvoked(s.fn) {
		t.visit(s.src, sub, "")
		return
	}
	for _, site := range t.g.static[s.fn] {
		arg := argumentOf(site.Common(), indexOf(s.fn, p))
		switch {
		case arg == nil || !t.g.mayBe(arg, object):
		case site.Parent() == object.Parent():
			t.visit(s.src, sub, push(t.g.siteOf[site], calls))
		default:
			t.visit(s.src, sub, push(t.g.siteOf[site], ""))
		}
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

// addEscaped adds an unknown origin if a pointer to a variable was passed to a function whose code
// is not analyzed. That function may change the variable. The variable is inside the object. The
// given path leads from the object to the variable.
func (t *trace) addEscaped(object ssa.Value, shape int, sub path, calls stack) {
	for _, e := range t.g.escapes[shape] {
		if strings.HasPrefix(sub, e.dstPath) && t.g.mayBe(e.root, object) {
			t.unknown(object, calls)
		}
	}
}

// inner continues a trace from a field of the object to the values that were stored in the field.
// It finds only assignments through a pointer to the field.
func (t *trace) inner(object ssa.Value, sub path) {
	below, ok := strings.CutPrefix(sub, deref)
	if !ok {
		return
	}
	step, rest, _ := strings.Cut(below, ";")
	index, ok := fieldOf(step)
	if !ok {
		return
	}
	typ := pointed(object.Type())
	fields, ok := typ.Underlying().(*types.Struct)
	if !ok {
		return
	}

	pointer := types.NewPointer(fields.Field(index).Type())
	for _, s := range t.g.stores[t.g.number(pointer)] {
		inField, ok := strings.CutPrefix(deref+rest, s.dstPath)
		if ok && t.g.mayBeField(s.root, typ, index) {
			t.visit(s.src, s.srcPath+inField, "")
		}
	}
}

// mayBe reports whether root may be the object, or points to it.
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

// pointsTo returns the origins of a value. A search may need the origins of the value for which it
// was begun. In that case, pointsTo returns nil, and g.busy has the value.
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

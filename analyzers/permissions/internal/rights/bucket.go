package rights

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/omnibucket/storage/analyzers/permissions/internal/flow"
)

// places returns the buckets that v can be. The second parameter holds the calls that led to v. The
// third parameter is the name of a method that is called on v. If the name is "", places leaves out
// values of types that the program declares.
func (d *deriver) places(v ssa.Value, calls, method string) (all []Place) {
	origins := d.graph.Trace(v, calls)
	for _, o := range origins {
		all = append(all, d.placesOf(o, method)...)
	}
	if len(origins) == 0 {
		all = append(all, Place{Name: "a value in " + functionName(v.Parent()), Unknown: true})
	}
	return compactPlaces(all)
}

func (d *deriver) placesOf(o flow.Origin, method string) []Place {
	if o.Zero {
		return nil
	}
	switch v := o.Value.(type) {
	case *ssa.Const: // nil
		return nil
	case *ssa.MakeInterface:
		return d.ownType(v, o.Stack, method)
	case *ssa.Call:
		if o.Unknown {
			return []Place{unknownCall(v)}
		}
		return d.opened(v, o.Stack)
	case *ssa.Global:
		return []Place{{Name: "variable " + v.Pkg.Pkg.Name() + "." + v.Name(), Unknown: true}}
	case *ssa.Parameter:
		return []Place{{Name: "parameter " + v.Name() + " of " + functionName(v.Parent()), Unknown: true}}
	}
	suffix := ""
	if f := o.Value.Parent(); f != nil {
		suffix = " in " + functionName(f)
	}
	return []Place{{Name: "a value" + suffix, Unknown: true}}
}

// ownType returns the embedded bucket that implements the given method of a value. The type of the
// value is declared in the program. If the type declares the method itself, ownType returns nil.
// The buckets of that method are found elsewhere, because the code of the method is analyzed.
func (d *deriver) ownType(box *ssa.MakeInterface, calls, method string) []Place {
	if box.X.Type().String() == "untyped nil" {
		return nil
	}
	v := box.X
	selection := d.program.SSA.MethodSets.MethodSet(v.Type()).Lookup(nil, method)
	if method == "" || selection == nil {
		return nil
	}
	index := selection.Index()
	if len(index) == 1 {
		return nil
	}
	embedded := d.graph.Fields(v, index[:len(index)-1], calls)
	var all []Place
	for _, o := range embedded {
		all = append(all, d.placesOf(o, method)...)
	}
	if _, promoted := selection.Obj().(*types.Func); promoted && len(embedded) == 0 {
		all = append(all, Place{Name: "a value in " + functionName(box.Parent()), Unknown: true})
	}
	return all
}

func compactPlaces(all []Place) []Place {
	places := map[Place]bool{}
	return slices.DeleteFunc(all, func(p Place) bool {
		ok := places[p]
		places[p] = true
		return ok
	})
}

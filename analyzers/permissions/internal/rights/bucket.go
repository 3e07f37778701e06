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

// placesOf returns the buckets that a value with the origin o can be. method is as for places.
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
	if method == "" || types.Identical(box.X.Type(), types.Typ[types.UntypedNil]) {
		return nil
	}
	selection := d.program.SSA.MethodSets.MethodSet(box.X.Type()).Lookup(nil, method)
	if selection == nil {
		return nil
	}

	// An index has the numbers of the embedded fields on the way to the method, and the number of the
	// method. Without embedded fields, the type declares the method itself.
	index := selection.Index()
	fields := index[:len(index)-1]
	if len(fields) == 0 {
		return nil
	}

	embedded := d.graph.Fields(box.X, fields, calls)
	if len(embedded) == 0 {
		return []Place{{Name: "a value in " + functionName(box.Parent()), Unknown: true}}
	}
	var all []Place
	for _, o := range embedded {
		all = append(all, d.placesOf(o, method)...)
	}
	return all
}

// compactPlaces removes places that occur earlier in all. It changes all.
func compactPlaces(all []Place) []Place {
	seen := map[Place]bool{}
	return slices.DeleteFunc(all, func(p Place) bool {
		if seen[p] {
			return true
		}
		seen[p] = true
		return false
	})
}

package rights

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/omnibucket/storage/analyzers/permissions/internal/flow"
)

// places returns the buckets that v can be when the calls of the stack have led to it.
//
// Values of types that the program declares count only if method names a method called on v.
func (d *deriver) places(v ssa.Value, stack, method string) (all []Place) {
	origins := d.graph.Trace(v, stack)
	for _, o := range origins {
		all = append(all, d.placesOf(o, method)...)
	}
	if len(origins) == 0 {
		all = append(all, Place{Name: "a value in " + functionName(v.Parent()), Unknown: true})
	}
	return compactPlaces(all)
}

// placesOf returns the buckets that a value with the given origin can be. A method called on the
// value has the given name.
func (d *deriver) placesOf(o flow.Origin, method string) []Place {
	if o.Zero {
		return nil
	}
	switch v := o.Value.(type) {
	case *ssa.Const:
		// A nil value is no bucket.
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

// ownType returns the embedded buckets that run a method of a value whose type the program
// declares.
//
// It returns nil for a method that the type declares itself, because the analysis covers its code.
func (d *deriver) ownType(box *ssa.MakeInterface, stack, method string) []Place {
	if method == "" || types.Identical(box.X.Type(), types.Typ[types.UntypedNil]) {
		return nil
	}
	selection := d.program.SSA.MethodSets.MethodSet(box.X.Type()).Lookup(nil, method)
	if selection == nil {
		return nil
	}

	// The last number of an index is that of the method, after those of the embedded fields.
	index := selection.Index()
	fields := index[:len(index)-1]
	if len(fields) == 0 {
		return nil
	}

	embedded := d.graph.Fields(box.X, fields, stack)
	if len(embedded) == 0 {
		return []Place{{Name: "a value in " + functionName(box.Parent()), Unknown: true}}
	}
	var all []Place
	for _, o := range embedded {
		all = append(all, d.placesOf(o, method)...)
	}
	return all
}

// compactPlaces removes repeated places from the slice and keeps the first of each.
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

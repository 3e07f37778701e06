package rights

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/omnibucket/storage/analyzers/permissions/internal/flow"
)

// buckets returns the buckets that v can be. stack has the calls that led to v, or is "" for any calls.
//
// Values of types that the program declares count only if method names a method called on v.
func (d *deriver) buckets(v ssa.Value, stack, method string) (all []Bucket) {
	origins := d.graph.Trace(v, stack)
	for _, o := range origins {
		all = append(all, d.bucketsOf(o, method)...)
	}
	if len(origins) == 0 {
		all = append(all, unknownValue(v.Parent()))
	}
	return uniqueBuckets(all)
}

// unknownValue returns the bucket of a value in f whose bucket is not known.
func unknownValue(f *ssa.Function) Bucket {
	return Bucket{Name: "a value in " + functionName(f), Unknown: true}
}

// bucketsOf returns the buckets that a value with the given origin can be. If a method is called on
// the value, method is its name, and otherwise "".
func (d *deriver) bucketsOf(o flow.Origin, method string) []Bucket {
	if o.Zero {
		return nil
	}
	switch v := o.Value.(type) {
	case *ssa.Const:
		// A nil value is no bucket.
		return nil
	case *ssa.MakeInterface:
		return d.embeddedBuckets(v, o.Stack, method)
	case *ssa.Call:
		if o.Unknown {
			return []Bucket{unknownBucket(v)}
		}
		return d.openedBuckets(v, o.Stack)
	case *ssa.Global:
		return []Bucket{{Name: "variable " + v.Pkg.Pkg.Name() + "." + v.Name(), Unknown: true}}
	case *ssa.Parameter:
		return []Bucket{{Name: "parameter " + v.Name() + " of " + functionName(v.Parent()), Unknown: true}}
	}

	f := o.Value.Parent()
	if f == nil {
		return []Bucket{{Name: "a value", Unknown: true}}
	}
	return []Bucket{unknownValue(f)}
}

// embeddedBuckets returns the buckets that can be in an embedded field of a value, if the type of the
// value has the method by embedding that field.
//
// It returns nil for a method that the type declares itself, because the analysis covers its code.
func (d *deriver) embeddedBuckets(value *ssa.MakeInterface, stack, method string) []Bucket {
	fields := d.fieldsTo(method, value.X.Type())
	if len(fields) == 0 {
		return nil
	}

	origins := d.graph.Fields(value.X, fields, stack)
	if len(origins) == 0 {
		// The program stores a bucket in the field in a way that the analysis does not follow.
		return []Bucket{unknownValue(value.Parent())}
	}
	var all []Bucket
	for _, o := range origins {
		all = append(all, d.bucketsOf(o, method)...)
	}
	return all
}

// fieldsTo returns the indexes of the nested embedded fields by which a type has a method. It
// returns none if the type declares the method itself or lacks it.
func (d *deriver) fieldsTo(method string, t types.Type) []int {
	if method == "" || types.Identical(t, types.Typ[types.UntypedNil]) {
		return nil
	}
	selection := d.program.SSA.MethodSets.MethodSet(t).Lookup(nil, method)
	if selection == nil {
		return nil
	}

	// The last number of an index is that of the method, after those of the fields.
	index := selection.Index()
	return index[:len(index)-1]
}

// uniqueBuckets removes repeated buckets from the slice and keeps the first of each.
func uniqueBuckets(all []Bucket) []Bucket {
	seen := map[Bucket]bool{}
	return slices.DeleteFunc(all, func(b Bucket) bool {
		if seen[b] {
			return true
		}
		seen[b] = true
		return false
	})
}

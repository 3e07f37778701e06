package program

import (
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// foreignInterfaces returns the interfaces that code outside the analysis may use, without those of
// buckets, whose calls a table describes.
func foreignInterfaces(p *Program) map[string][]*types.Interface {
	analyzed := map[*ssa.Package]bool{}
	for _, pkg := range p.All {
		analyzed[pkg] = true
	}

	byMethod := map[string][]*types.Interface{}
	addInterface(byMethod, types.Universe.Lookup("error"), nil)
	for name, iface := range textInterfaces() {
		byMethod[name] = append(byMethod[name], iface)
	}
	for _, other := range p.SSA.AllPackages() {
		if analyzed[other] {
			continue
		}
		for _, name := range other.Pkg.Scope().Names() {
			addInterface(byMethod, other.Pkg.Scope().Lookup(name), bucketType(p, other.Pkg))
		}
	}
	return byMethod
}

// textInterfaces returns the interfaces of package encoding by their method, because decoders call
// it even if no package imports encoding.
func textInterfaces() map[string]*types.Interface {
	data := types.NewVar(0, nil, "", types.NewSlice(types.Typ[types.Byte]))
	err := types.NewVar(0, nil, "", types.Universe.Lookup("error").Type())
	unmarshal := types.NewSignatureType(nil, nil, nil, types.NewTuple(data), types.NewTuple(err), false)
	marshal := types.NewSignatureType(nil, nil, nil, nil, types.NewTuple(data, err), false)

	return map[string]*types.Interface{
		"UnmarshalText":   newInterface("UnmarshalText", unmarshal),
		"MarshalText":     newInterface("MarshalText", marshal),
		"UnmarshalBinary": newInterface("UnmarshalBinary", unmarshal),
		"MarshalBinary":   newInterface("MarshalBinary", marshal),
	}
}

// newInterface returns an interface with one method.
func newInterface(method string, signature *types.Signature) *types.Interface {
	methods := []*types.Func{types.NewFunc(0, nil, method, signature)}
	return types.NewInterfaceType(methods, nil).Complete()
}

// addInterface adds the interface that object names, unless it is generic or bucket, which may be
// nil, implements it.
func addInterface(byMethod map[string][]*types.Interface, object types.Object, bucket *types.Interface) {
	name, ok := object.(*types.TypeName)
	if !ok {
		return
	}
	if named, ok := name.Type().(*types.Named); ok && named.TypeParams().Len() > 0 {
		return
	}

	iface, ok := name.Type().Underlying().(*types.Interface)
	if !ok || iface.NumMethods() == 0 {
		return
	}
	if bucket != nil && types.Implements(bucket, iface) {
		return
	}
	first := iface.Method(0).Name()
	byMethod[first] = append(byMethod[first], iface)
}

// bucketType returns the type storage.Bucket if pkg is a package of the library, and otherwise nil.
func bucketType(p *Program, pkg *types.Package) *types.Interface {
	if !IsLibrary(pkg) {
		return nil
	}
	bucket := p.SSA.ImportedPackage(Storage).Pkg.Scope().Lookup("Bucket")
	return bucket.Type().Underlying().(*types.Interface)
}

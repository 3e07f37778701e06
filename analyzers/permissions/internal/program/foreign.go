package program

import (
	"go/types"
	"slices"
)

// foreignInterfaces returns the interfaces with methods that may be called by code outside the
// analysis. The keys of the map are the names of their first methods.
//
// The interfaces of buckets are not among them, because a table describes the calls of their methods.
func foreignInterfaces(p *Program) map[string][]*types.Interface {
	byMethod := map[string][]*types.Interface{}
	addInterface(byMethod, types.Universe.Lookup("error"), nil)
	for method, iface := range textInterfaces() {
		byMethod[method] = append(byMethod[method], iface)
	}

	// Any interface that is declared outside the analysis may be used there.
	for _, pkg := range p.SSA.AllPackages() {
		if slices.Contains(p.All, pkg) {
			continue
		}
		scope := pkg.Pkg.Scope()
		bucket := bucketType(p, pkg.Pkg)
		for _, name := range scope.Names() {
			addInterface(byMethod, scope.Lookup(name), bucket)
		}
	}
	return byMethod
}

// textInterfaces returns the interfaces of package encoding by the name of their method. Decoders call
// the methods even in a program that does not import encoding.
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

// addInterface adds the interface that object names. It adds no generic interface, and none that
// buckets implement. bucket is their type, or nil if the package of the object does not know it.
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

	// The map lists each interface under the name of its first method.
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

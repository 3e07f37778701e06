package program

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// foreignInterfaces returns the interfaces of packages whose code is not analyzed. It leaves out
// the interfaces of buckets, because the table of operations describes them: it says which methods
// each function of the library calls.
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

// textInterfaces returns interfaces of package encoding, by the name of their method. Decoders and
// packages that parse flags call these methods, even if the program itself does not import package
// encoding.
func textInterfaces() map[string]*types.Interface {
	variable := func(t types.Type) *types.Var { return types.NewVar(0, nil, "", t) }
	text := variable(types.NewSlice(types.Typ[types.Byte]))
	failure := variable(types.Universe.Lookup("error").Type())
	newSignature := func(params, results *types.Tuple) *types.Signature {
		return types.NewSignatureType(nil, nil, nil, params, results, false)
	}
	all := map[string]*types.Interface{}
	for _, kind := range []string{"Text", "Binary"} {
		for name, signature := range map[string]*types.Signature{
			"Unmarshal" + kind: newSignature(types.NewTuple(text), types.NewTuple(failure)),
			"Marshal" + kind:   newSignature(nil, types.NewTuple(text, failure)),
		} {
			method := types.NewFunc(0, nil, name, signature)
			all[name] = types.NewInterfaceType([]*types.Func{method}, nil).Complete()
		}
	}
	return all
}

func addInterface(byMethod map[string][]*types.Interface, object types.Object, bucket *types.Interface) {
	name, ok := object.(*types.TypeName)
	if !ok {
		return
	}
	if named, ok := name.Type().(*types.Named); ok && named.TypeParams().Len() > 0 {
		return
	}
	iface, ok := name.Type().Underlying().(*types.Interface)
	if !ok || iface.NumMethods() == 0 || bucket != nil && types.Implements(bucket, iface) {
		return
	}
	first := iface.Method(0).Name()
	byMethod[first] = append(byMethod[first], iface)
}

// bucketType returns the type storage.Bucket if pkg is a package of the library, and otherwise nil.
func bucketType(p *Program, pkg *types.Package) *types.Interface {
	if path := pkg.Path(); path != Storage && !strings.HasPrefix(path, Storage+"/") {
		return nil
	}
	bucket, _ := p.SSA.ImportedPackage(Storage).Pkg.Scope().Lookup("Bucket").Type().Underlying().(*types.Interface)
	return bucket
}

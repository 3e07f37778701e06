package rights

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/omnibucket/storage/analyzers/permissions/internal/program"
)

// libraryTypes has the interfaces Bucket, Core, Service and MultipartUpload of package storage.
type libraryTypes struct{ bucket, core, service, multipart *types.Interface }

// typesOf returns the interfaces of the package storage that p imports.
func typesOf(p *program.Program) libraryTypes {
	scope := p.SSA.ImportedPackage(program.Storage).Pkg.Scope()
	find := func(name string) *types.Interface {
		return scope.Lookup(name).Type().Underlying().(*types.Interface)
	}
	return libraryTypes{
		bucket:    find("Bucket"),
		core:      find("Core"),
		service:   find("Service"),
		multipart: find("MultipartUpload"),
	}
}

// requirement returns the operations that a call of an interface method needs, or nil if the library
// declares no such method.
func (t libraryTypes) requirement(method *types.Func) *requirement {
	name := method.Name()
	if hasMethod(t.bucket, method) {
		return methods[name]
	}
	if hasMethod(t.service, method) {
		return serviceMethods[name]
	}
	if hasMethod(t.multipart, method) {
		return multipartMethods[name]
	}
	if hasMethod(t.core, method) {
		// Core shares most of its methods with Bucket.
		if f := methods[name]; f != nil {
			return f
		}
		return coreMethods[name]
	}
	return nil
}

func (t libraryTypes) isCore(method *types.Func) bool {
	return hasMethod(t.core, method) && !hasMethod(t.bucket, method)
}

func hasMethod(iface *types.Interface, method *types.Func) bool {
	m := methodOf(iface, method.Name())
	return m != nil && types.Identical(m.Signature(), method.Signature())
}

// methodOf returns the method of an interface with the given name, or nil.
func methodOf(iface *types.Interface, name string) *types.Func {
	for method := range iface.Methods() {
		if method.Name() == name {
			return method
		}
	}
	return nil
}

// isBucket reports whether typ is Core, Service, or an interface with at least one method of
// Bucket.
func (t libraryTypes) isBucket(typ types.Type) bool {
	iface, ok := typ.Underlying().(*types.Interface)
	if !ok || iface.NumMethods() == 0 {
		return false
	}
	for method := range iface.Methods() {
		if hasMethod(t.bucket, method) {
			return true
		}
		// Many types that are not buckets have the method Close.
		if hasMethod(t.core, method) && method.Name() != "Close" {
			return true
		}
	}
	return types.Identical(iface, t.service)
}

// methodsOf returns the methods of Bucket that a function of the library calls on an argument.
func (d *deriver) methodsOf(call *ssa.CallCommon) (all []*types.Func) {
	callee := call.StaticCallee()
	if callee == nil || !isOurs(callee) {
		return nil
	}
	for _, u := range functions[nameOf(callee)] {
		if u.method != "" {
			all = append(all, methodOf(d.types.bucket, u.method))
		}
		// Attrs in the table stands for both methods, because some of these functions call Exists.
		if u.method == "Attrs" {
			all = append(all, methodOf(d.types.bucket, "Exists"))
		}
	}
	return all
}

// receiverArg returns the argument on which a library function calls the given method, as ReadAll
// calls Download, or nil if there is none.
func (d *deriver) receiverArg(call *ssa.CallCommon, method string) ssa.Value {
	hasName := func(m *types.Func) bool { return m.Name() == method }
	if !slices.ContainsFunc(d.methodsOf(call), hasName) {
		return nil
	}

	// A function that calls methods calls all of them on the same argument.
	uses := functions[nameOf(call.StaticCallee())]
	return call.Args[uses[0].arg]
}

// resultArgs returns the arguments from which callee makes its result, as storage.Ref makes a view
// of its first argument.
func resultArgs(callee *ssa.Function, args []ssa.Value) []ssa.Value {
	switch nameOf(callee) {
	case "storage.Ref", "storage.Wrap", "storage.NewBucket", "storage.NewCopySource", "storage/engine.New",
		"storage/engine.NewService", "storage/driver.Intercept", "storage/transfer.Bucket", "sync.OnceValue",
		"sync.OnceValues", "sync.OnceFunc", "maps.Clone":
		return args[:1]
	case "storage.BeginUpload", "storage.ContinueUpload", "storage.ContinueListedUpload":
		return args[1:2]
	}
	if packageOf(callee) == "slices" {
		return slicesOf(args)
	}
	return nil
}

// slicesOf returns the arguments that are slices.
func slicesOf(args []ssa.Value) (all []ssa.Value) {
	for _, arg := range args {
		if _, ok := arg.Type().Underlying().(*types.Slice); ok {
			all = append(all, arg)
		}
	}
	return all
}

// callbackArg returns the argument whose Core storage.Wrap passes to its callback, or nil for
// another function.
func callbackArg(call *ssa.CallCommon) ssa.Value {
	callee := call.StaticCallee()
	if callee == nil || nameOf(callee) != "storage.Wrap" {
		return nil
	}
	return call.Args[0]
}

// callsByName reports whether f can call methods by their names.
func callsByName(f *ssa.Function) bool { return isReflection(nameOf(f)) }

// isReflection reports whether the function with this name can call methods by their names.
func isReflection(name string) bool {
	switch name {
	case "reflect.ValueOf", "(*text/template.Template).Execute", "(*html/template.Template).Execute",
		"(*text/template.Template).ExecuteTemplate", "(*html/template.Template).ExecuteTemplate",
		"net/rpc.Register", "net/rpc.RegisterName", "(*net/rpc.Server).Register", "(*net/rpc.Server).RegisterName":
		return true
	}
	return false
}

func isOurs(f *ssa.Function) bool {
	object := objectOf(f)
	return object != nil && isLibrary(object)
}

func isLibrary(f *types.Func) bool { return program.IsLibrary(f.Pkg()) }

// isInternal reports whether f is in an internal package of the library, whose code is analyzed if
// it uses buckets.
func isInternal(f *ssa.Function) bool {
	return strings.HasPrefix(packageOf(f), program.Storage+"/internal/")
}

// packageOf returns the import path of the package that declares f, or "" if f has no declaration.
func packageOf(f *ssa.Function) string {
	if object := objectOf(f); object != nil && object.Pkg() != nil {
		return object.Pkg().Path()
	}
	return ""
}

// objectOf returns the declaration of f, or of the generic function of which f is an instance, or
// nil if there is none.
func objectOf(f *ssa.Function) *types.Func {
	if f.Origin() != nil {
		f = f.Origin()
	}
	object, _ := f.Object().(*types.Func)
	return object
}

// nameOf returns the full name of a function below the repository, such as "storage.Copy".
func nameOf(f *ssa.Function) string {
	object := objectOf(f)
	if object == nil {
		return ""
	}
	return strings.Replace(object.FullName(), strings.TrimSuffix(program.Storage, "storage"), "", 1)
}

// calleeName returns the full name of the called function or interface method in the form of
// nameOf.
func calleeName(call *ssa.CallCommon) string {
	if call.IsInvoke() {
		return strings.Replace(call.Method.FullName(), strings.TrimSuffix(program.Storage, "storage"), "", 1)
	}
	if callee := call.StaticCallee(); callee != nil {
		return nameOf(callee)
	}
	return ""
}

// shortName returns the name by which the source calls a function, such as "storage.Copy", or "a
// call" for a function value.
func shortName(call *ssa.CallCommon) string {
	if call.IsInvoke() {
		return call.Method.Name()
	}
	if callee := call.StaticCallee(); callee != nil {
		return shortOf(callee)
	}
	return "a call"
}

// shortOf returns the name of a method, or the name of another function after the name of its
// package.
func shortOf(f *ssa.Function) string {
	object := objectOf(f)
	if object == nil {
		return f.Name()
	}
	if object.Signature().Recv() != nil || object.Pkg() == nil {
		return object.Name()
	}
	return object.Pkg().Name() + "." + object.Name()
}

// functionName returns the name of the declared function around f, without a line number that
// another change would move.
func functionName(f *ssa.Function) string {
	for f.Parent() != nil {
		f = f.Parent()
	}
	object := objectOf(f)
	if object == nil {
		return f.Name()
	}
	return object.Pkg().Name() + "." + receiverPrefix(object) + object.Name()
}

// receiverPrefix returns the name of the receiver's type and a dot if f is a method, and otherwise
// "".
func receiverPrefix(f *types.Func) string {
	recv := f.Signature().Recv()
	if recv == nil {
		return ""
	}

	t := recv.Type()
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := t.(*types.Named)
	if !ok {
		return ""
	}
	return named.Obj().Name() + "."
}

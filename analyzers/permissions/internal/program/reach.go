package program

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/types/typeutil"
)

// Code has the functions that a program can run. A function counts as run if the program uses the
// function as a value. A method counts as run if two conditions hold: a value of its type becomes
// an interface value, and code calls the method of that interface.
type Code struct {
	Functions []*ssa.Function // functions whose code is analyzed, in the order in which they were found
	Exported  map[*ssa.Function]bool
	Values    map[*ssa.Function]bool // functions that are used as values
	Foreign   map[*ssa.Function]bool // methods that unanalyzed code may call
	Boxes     []*ssa.MakeInterface

	calledMethods func(*ssa.CallCommon) []*types.Func
	callsByName   func(*ssa.Function) bool
	seen          map[*ssa.Function]bool
	work          []*ssa.Function
	prog          *ssa.Program
	types         typeutil.Map // types whose values become interface values
	invoked       map[string][]*types.Func
	// foreign has the interfaces of packages whose code is not analyzed. The key of the map is the
	// name of the interface's first method.
	foreign map[string][]*types.Interface
	// parts has the types of values that are inside interface values, for example in fields. It
	// also has the types of pointers to such values.
	parts       typeutil.Map
	reflected   typeutil.Map // types with methods that reflection may call by name
	anyTypes    []types.Type // types whose values become values of type any
	reflectsAll bool
}

// Reach finds the functions that p can run.
//
// For a function outside the analysis, calledMethods returns the interface methods that a call of it runs,
// and callsByName reports whether it can call methods by name.
func Reach(p *Program, calledMethods func(*ssa.CallCommon) []*types.Func, callsByName func(*ssa.Function) bool) *Code {
	c := &Code{
		Exported:      map[*ssa.Function]bool{},
		Values:        map[*ssa.Function]bool{},
		Foreign:       map[*ssa.Function]bool{},
		seen:          map[*ssa.Function]bool{},
		prog:          p.SSA,
		invoked:       map[string][]*types.Func{},
		foreign:       foreignInterfaces(p),
		calledMethods: calledMethods,
		callsByName:   callsByName,
	}
	for _, root := range p.Roots {
		c.addRoots(root)
	}
	c.addInits(p)

	// scan adds to c.work the functions that it sees for the first time.
	for len(c.work) > 0 {
		last := len(c.work) - 1
		f := c.work[last]
		c.work = c.work[:last]
		c.scan(f)
	}
	return c
}

// addRoots adds the function main or, for another package than main, all exported functions and
// methods.
func (c *Code) addRoots(root *ssa.Package) {
	if main := root.Func("main"); main != nil && root.Pkg.Name() == "main" {
		c.add(main)
		return
	}

	for _, name := range root.Pkg.Scope().Names() {
		switch member := root.Members[name].(type) {
		case *ssa.Function:
			if member.Object() != nil && member.Object().Exported() {
				c.export(member)
			}
		case *ssa.Type:
			c.exportMethods(member)
		}
	}
}

// exportMethods adds the exported methods of an exported type.
func (c *Code) exportMethods(t *ssa.Type) {
	named, ok := t.Type().(*types.Named)
	if !ok || !t.Object().Exported() || types.IsInterface(named) {
		return
	}
	for method := range named.Methods() {
		if f := c.prog.FuncValue(method); f != nil && method.Exported() {
			c.export(f)
		}
	}
}

func (c *Code) export(f *ssa.Function) {
	c.Exported[f] = true
	c.add(f)
}

// addInits adds the init functions of all packages that the program imports.
func (c *Code) addInits(p *Program) {
	imported := map[*types.Package]bool{}
	for _, root := range p.Roots {
		addImports(imported, root.Pkg)
	}
	for _, pkg := range p.All {
		if imported[pkg.Pkg] {
			c.add(pkg.Func("init"))
		}
	}
}

// addImports adds a package and all packages that it imports, directly or indirectly.
func addImports(imported map[*types.Package]bool, pkg *types.Package) {
	if imported[pkg] {
		return
	}
	imported[pkg] = true
	for _, other := range pkg.Imports() {
		addImports(imported, other)
	}
}

// add adds a function that the program can run, and leaves its code to a later scan.
func (c *Code) add(f *ssa.Function) {
	if f == nil || c.seen[f] {
		return
	}
	c.seen[f] = true
	// A function without blocks has no code in Go.
	if len(f.Blocks) == 0 {
		return
	}
	c.Functions = append(c.Functions, f)
	c.work = append(c.work, f)
}

// Has returns true if the program can run f and the code of f is analyzed.
func (c *Code) Has(f *ssa.Function) bool { return c.seen[f] && len(f.Blocks) > 0 }

// scan adds the functions that f calls or uses as values, and records the interface values that f
// makes.
func (c *Code) scan(f *ssa.Function) {
	for _, block := range f.Blocks {
		for _, instruction := range block.Instrs {
			called := c.scanCall(instruction)
			c.scanValues(instruction, called)
			if box, ok := instruction.(*ssa.MakeInterface); ok {
				c.addBox(box)
			}
		}
	}
}

// scanValues adds the functions that an instruction uses as values: those of its operands that are
// functions, except the operand called.
func (c *Code) scanValues(instruction ssa.Instruction, called *ssa.Value) {
	var buf [16]*ssa.Value // holds the operands without an allocation
	for _, operand := range instruction.Operands(buf[:0]) {
		value, isFunction := (*operand).(*ssa.Function)
		if isFunction && operand != called {
			c.Values[value] = true
			c.add(value)
		}
	}
}

// addBox records a conversion of a value to an interface type.
func (c *Code) addBox(box *ssa.MakeInterface) {
	c.Boxes = append(c.Boxes, box)
	c.addType(box.X.Type())
	iface, ok := box.Type().Underlying().(*types.Interface)
	isAny := ok && iface.NumMethods() == 0
	if isAny {
		// Reflection may call methods of the value.
		c.addAny(box.X.Type())
	}
}

// scanCall adds the functions that an instruction may call. If the call names its callee, scanCall
// returns the operand that does, and otherwise nil.
func (c *Code) scanCall(instruction ssa.Instruction) (called *ssa.Value) {
	call, ok := instruction.(ssa.CallInstruction)
	if !ok {
		return nil
	}

	common := call.Common()
	if common.IsInvoke() {
		c.invoke(common.Method)
		return nil
	}
	callee := common.StaticCallee()
	if callee == nil {
		return nil
	}

	c.add(callee)
	for _, method := range c.calledMethods(common) {
		c.invoke(method)
	}

	// A function outside the analysis may call methods of its arguments.
	if len(callee.Blocks) == 0 && !isOfLibrary(callee) {
		c.addCallsOn(callee, common.Args)
	}
	return &common.Value
}

// isOfLibrary reports whether f is declared in a package of the library.
func isOfLibrary(f *ssa.Function) bool {
	// An instance of a generic function has no package of its own.
	if f.Origin() != nil {
		f = f.Origin()
	}
	return f.Pkg != nil && IsLibrary(f.Pkg.Pkg)
}

// IsLibrary reports whether pkg is a package of the library. It may be nil.
func IsLibrary(pkg *types.Package) bool {
	return pkg != nil && (pkg.Path() == Storage || strings.HasPrefix(pkg.Path(), Storage+"/"))
}

// addCallsOn adds the methods that a function outside the analysis may call on its arguments.
func (c *Code) addCallsOn(callee *ssa.Function, args []ssa.Value) {
	// The function may call the methods of the interfaces that its parameters have as types.
	for param := range callee.Signature.Params().Variables() {
		if iface, ok := param.Type().Underlying().(*types.Interface); ok && iface.NumMethods() > 0 {
			c.addForeignInterface(iface)
		}
	}
	c.addConstrained(callee)

	// Some functions, such as those of templates, call methods by their names.
	if c.callsByName(callee) {
		c.reflectArgs(args)
	}
}

// addConstrained adds the methods that an instance of a generic function may call, because the
// constraints of its type parameters have them.
func (c *Code) addConstrained(callee *ssa.Function) {
	for i, typ := range callee.TypeArgs() {
		constraint, ok := callee.TypeParams().At(i).Constraint().Underlying().(*types.Interface)
		if !ok || types.IsInterface(typ) {
			continue
		}
		for method := range constraint.Methods() {
			c.addMethods(typ, func(f *types.Func) bool { return f.Name() == method.Name() })
		}
	}
}

// reflectArgs adds the methods that a function may call on its arguments by reflection. The type of
// the value in an interface is known only if the call itself puts the value there.
func (c *Code) reflectArgs(args []ssa.Value) {
	for _, arg := range args {
		if box, ok := arg.(*ssa.MakeInterface); ok {
			c.reflectType(box.X.Type())
		} else if types.IsInterface(arg.Type()) {
			c.reflectAll()
		}
	}
}

// addMethods adds the methods of t for which isCalled returns true, as methods that code outside
// the analysis may call.
func (c *Code) addMethods(t types.Type, isCalled func(*types.Func) bool) {
	for selection := range c.prog.MethodSets.MethodSet(t).Methods() {
		method, ok := selection.Obj().(*types.Func)
		f := c.prog.MethodValue(selection)
		if ok && f != nil && isCalled(method) {
			c.Foreign[f] = true
			c.add(f)
		}
	}
}

// addForeignInterface records an interface whose methods code outside the analysis calls. It adds the
// methods with which the types found so far implement the interface.
func (c *Code) addForeignInterface(iface *types.Interface) {
	// The methods of an interface are sorted, so equal interfaces have the same first method.
	first := iface.Method(0).Name()
	isRecorded := slices.ContainsFunc(c.foreign[first], func(other *types.Interface) bool {
		return types.Identical(other, iface)
	})
	if isRecorded {
		return
	}
	c.foreign[first] = append(c.foreign[first], iface)

	// Types that are found later are compared with c.foreign.
	addIfImplements := func(t types.Type, _ any) {
		if types.Implements(t, iface) {
			c.addForeign(t, iface)
		}
	}
	c.types.Iterate(addIfImplements)
	c.parts.Iterate(addIfImplements)
}

// addAny records a type whose values become values of type any, so that reflection may call their
// methods.
func (c *Code) addAny(t types.Type) {
	c.anyTypes = append(c.anyTypes, t)
	if c.reflectsAll {
		c.reflectType(t)
	}
}

// reflectAll adds the methods of all types whose values become values of type any, now or
// later.
func (c *Code) reflectAll() {
	c.reflectsAll = true
	for _, t := range c.anyTypes {
		c.reflectType(t)
	}
}

// reflectType adds the exported methods that reflection can call on a value of type t and on the values
// inside it.
func (c *Code) reflectType(t types.Type) {
	if c.reflected.At(t) != nil {
		return
	}
	c.reflected.Set(t, true)

	// An interface value inside t may have any of the types.
	if types.IsInterface(t) {
		if !c.reflectsAll {
			c.reflectAll()
		}
		return
	}

	c.addMethods(t, (*types.Func).Exported)
	for _, part := range partsOf(t) {
		c.reflectType(part)
	}
}

// partsOf returns the types of the values inside a value of type t, such as its fields or elements.
func partsOf(t types.Type) (all []types.Type) {
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return []types.Type{u.Elem()}
	case *types.Slice:
		return []types.Type{u.Elem()}
	case *types.Array:
		return []types.Type{u.Elem()}
	case *types.Map:
		return []types.Type{u.Key(), u.Elem()}
	case *types.Struct:
		for field := range u.Fields() {
			all = append(all, field.Type())
		}
	}
	return all
}

// addParts adds the methods of the types inside t that a decoder may call, such as UnmarshalJSON of
// a field's type.
func (c *Code) addParts(t types.Type) {
	for _, part := range partsOf(t) {
		if c.parts.At(part) != nil || types.IsInterface(part) {
			continue
		}
		pointer := types.NewPointer(part)
		c.parts.Set(part, true)
		c.parts.Set(pointer, true)
		c.addForeignMethods(pointer)
		c.addParts(part)
	}
}

// invoke records a call of an interface method, and adds the methods that the call may run.
func (c *Code) invoke(method *types.Func) {
	name := method.Name()
	if slices.Contains(c.invoked[name], method) {
		return
	}
	c.invoked[name] = append(c.invoked[name], method)
	c.types.Iterate(func(t types.Type, _ any) {
		c.addMethod(t, method)
	})
}

// addMethod adds the method of t that implements an interface method, if t has one.
func (c *Code) addMethod(t types.Type, method *types.Func) {
	if f := c.Implementation(t, method); f != nil {
		c.add(f)
	}
}

// Implementation returns the method of t that implements an interface method, or nil if t has none.
func (c *Code) Implementation(t types.Type, method *types.Func) *ssa.Function {
	selection := c.prog.MethodSets.MethodSet(t).Lookup(method.Pkg(), method.Name())
	if selection == nil || !types.Identical(selection.Type(), method.Type()) {
		return nil
	}
	return c.prog.MethodValue(selection)
}

// addType records a type whose values become interface values, and adds those of its methods that
// may be called.
func (c *Code) addType(t types.Type) {
	if c.types.At(t) != nil || types.IsInterface(t) {
		return
	}
	c.types.Set(t, true)

	for selection := range c.prog.MethodSets.MethodSet(t).Methods() {
		name := selection.Obj().Name()
		for _, method := range c.invoked[name] {
			c.addMethod(t, method)
		}
	}
	c.addForeignMethods(t)
	c.addParts(t)
}

// addForeignMethods adds the methods of t that code outside the analysis may call through an
// interface.
func (c *Code) addForeignMethods(t types.Type) {
	for selection := range c.prog.MethodSets.MethodSet(t).Methods() {
		for _, iface := range c.foreign[selection.Obj().Name()] {
			if types.Implements(t, iface) {
				c.addForeign(t, iface)
			}
		}
	}
}

// addForeign adds the methods of t that implement iface.
func (c *Code) addForeign(t types.Type, iface *types.Interface) {
	for method := range iface.Methods() {
		if f := c.Implementation(t, method); f != nil {
			c.Foreign[f] = true
			c.add(f)
		}
	}
}

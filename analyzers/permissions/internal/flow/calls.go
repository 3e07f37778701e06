package flow

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// stepCall traces the result of a call back to the values that the callee returns.
func (t *trace) stepCall(v *ssa.Call, path accessPath, stack callStack) {
	call := v.Common()
	if builtin, ok := call.Value.(*ssa.Builtin); ok {
		t.stepBuiltin(v, builtin, path, stack)
		return
	}
	if call.IsInvoke() {
		t.stepInvoke(v, path, stack)
		return
	}
	if callee := call.StaticCallee(); callee != nil {
		t.traceCallee(v, callee, path, stack)
		return
	}

	// The callee is a function value, which may be one of several functions.
	for _, o := range t.g.pointsTo(call.Value) {
		switch callee := o.Value.(type) {
		case *ssa.Function:
			t.traceCallee(v, callee, path, stack)
		case *ssa.MakeClosure:
			t.traceCallee(v, callee.Fn.(*ssa.Function), path, stack)
		case *ssa.Const: // nil
		default:
			t.addUnknown(v, stack)
		}
	}
}

// stepBuiltin traces the result of append back to its arguments. At the result of any other built-in
// function, it ends the trace with an unknown origin.
func (t *trace) stepBuiltin(v *ssa.Call, builtin *ssa.Builtin, path accessPath, stack callStack) {
	if builtin.Name() != "append" {
		t.addUnknown(v, stack)
		return
	}
	for _, arg := range v.Call.Args {
		t.visit(arg, path, stack)
	}
}

// traceCallee traces the result of the call v back to the values that callee returns. If the code of
// callee is not analyzed, it continues with the arguments that callee may return.
func (t *trace) traceCallee(v *ssa.Call, callee *ssa.Function, path accessPath, stack callStack) {
	// A path from one of several results begins with the number of that result.
	index, rest := cutResult(path)
	if t.g.Code.Has(callee) {
		t.traceReturns(callee, index, rest, t.g.enter(v, stack))
		return
	}

	args := t.g.ResultArgs(callee, v.Call.Args)
	for _, arg := range args {
		t.visit(arg, rest, stack)
	}
	if len(args) == 0 {
		object, _ := callee.Object().(*types.Func)
		t.endOutside(v, object, rest, stack)
	}
}

// traceReturns traces a call back to the result at index of each return statement of callee.
func (t *trace) traceReturns(callee *ssa.Function, index int, path accessPath, inCallee callStack) {
	for _, r := range t.g.returns[callee] {
		if index < len(r.Results) {
			t.visit(r.Results[index], path, inCallee)
		}
	}
}

// stepInvoke traces the result of a call of an interface method back to the results of the methods that it
// can run.
func (t *trace) stepInvoke(v *ssa.Call, path accessPath, stack callStack) {
	methods := t.g.implementations(v.Common())
	for _, method := range methods {
		t.traceCallee(v, method, path, stack)
	}
	if len(methods) == 0 {
		_, rest := cutResult(path)
		t.endOutside(v, v.Call.Method, rest, stack)
	}
}

// implementations returns the analyzed methods that a call of an interface method can run.
func (g *Graph) implementations(call *ssa.CallCommon) (all []*ssa.Function) {
	for _, o := range g.pointsTo(call.Value) {
		receiver, ok := o.Value.(*ssa.MakeInterface)
		if !ok {
			continue
		}
		method := g.Code.Implementation(receiver.X.Type(), call.Method)
		if method != nil && g.Code.Has(method) {
			all = append(all, method)
		}
	}
	return all
}

// endOutside ends a trace at the result of a function whose code is not analyzed. The result is itself an
// origin. If path leads from the result to a value inside it, the origin of that value is unknown.
func (t *trace) endOutside(v *ssa.Call, callee *types.Func, path accessPath, stack callStack) {
	if path == "" {
		t.addOrigin(v, stack)
		return
	}

	// A path such as "!7;" asserts a type of the program, which no result of the library has. So the
	// assertion fails.
	isAssertion := strings.HasPrefix(path, "!")
	if isAssertion && callee != nil && t.g.IsLibrary(callee) {
		t.add(Origin{Value: v, Zero: true})
		return
	}
	t.addUnknown(v, stack)
}

// stepParameter traces a parameter back to the argument of the call by which the trace entered the
// function. If the trace began inside the function, it continues with the arguments of all calls.
func (t *trace) stepParameter(p *ssa.Parameter, path accessPath, stack callStack) {
	f := p.Parent()
	index := indexOf(f, p)
	if stack != "" {
		site, callers := t.g.leave(stack)
		t.traceArgument(site, f, index, path, callers)
		return
	}

	hasCalls := t.traceArguments(f, index, path)
	if !hasCalls || t.g.hasUnseenCallers(f, index) {
		t.addUnknown(p, anyCalls)
	}
}

// traceArguments traces the parameter of f at index back to the arguments of all known calls of f, and
// reports whether there are any.
func (t *trace) traceArguments(f *ssa.Function, index int, path accessPath) bool {
	// Each argument that is found adds a visit, even one that was visited before.
	visitsBefore := t.visits
	for _, site := range t.g.static[f] {
		t.traceArgument(site, f, index, path, anyCalls)
	}
	t.traceInvokes(f, index, path)
	t.traceDynamicCalls(f, index, path)
	t.traceForeignReceiver(f, index, path)
	return t.visits > visitsBefore
}

// hasUnseenCallers reports whether code outside the analysis may choose the argument for a parameter
// of f. If f is a method, the index 0 is that of its receiver.
func (g *Graph) hasUnseenCallers(f *ssa.Function, index int) bool {
	if g.Code.Exported[f] || g.IsPassedOutside(f) {
		return true
	}

	// A caller through an interface chooses the arguments, but the receiver is a value of the program.
	isReceiver := index == 0
	return g.Code.Foreign[f] && !isReceiver
}

// indexOf returns the index of a parameter of f.
func indexOf(f *ssa.Function, p *ssa.Parameter) int {
	return slices.Index(f.Params, p)
}

// traceArgument traces a parameter of f, whose index is 0 for the receiver of a method, back to the
// traceArgument that one call passes for it.
func (t *trace) traceArgument(site ssa.CallInstruction, f *ssa.Function, index int, path accessPath, stack callStack) {
	call := site.Common()
	if !call.IsInvoke() {
		if arg := argumentOf(call, index); arg != nil {
			t.visit(arg, path, stack)
		}
		return
	}

	isReceiver := index == 0
	if isReceiver {
		t.traceReceiver(call.Value, f, path, stack)
		return
	}
	// The arguments of an interface method do not include its receiver.
	t.visit(call.Args[index-1], path, stack)
}

// traceReceiver traces the receiver of the method f back to the interface value through which f is called.
func (t *trace) traceReceiver(iface ssa.Value, f *ssa.Function, path accessPath, stack callStack) {
	// Only an interface value with a value of the receiver's type runs f.
	toReceiver := t.g.assert(f.Params[0].Type())
	t.visit(iface, toReceiver+path, stack)
}

// argumentOf returns the argument of a call at index, or nil for an interface method or a call with
// fewer arguments.
func argumentOf(call *ssa.CallCommon, index int) ssa.Value {
	if call.IsInvoke() || index >= len(call.Args) {
		return nil
	}
	return call.Args[index]
}

// traceInvokes traces a parameter of the method f back to the arguments of calls through an
// interface.
func (t *trace) traceInvokes(f *ssa.Function, index int, path accessPath) {
	if f.Signature.Recv() == nil {
		return
	}
	for _, site := range t.g.invoked[f.Name()] {
		if t.g.Code.Implementation(f.Params[0].Type(), site.Common().Method) == f {
			t.traceArgument(site, f, index, path, anyCalls)
		}
	}

	isReceiver := index == 0
	if isReceiver {
		t.traceOutsideReceivers(f, path)
	}
}

// traceOutsideReceivers traces the receiver of the method f back to the arguments on which functions
// without code may call f.
func (t *trace) traceOutsideReceivers(f *ssa.Function, path accessPath) {
	for _, site := range t.g.outside {
		if arg := t.g.ReceiverArg(site.Common(), f.Name()); arg != nil {
			t.traceReceiver(arg, f, path, anyCalls)
		}
	}
}

// traceDynamicCalls traces a parameter of f, if f is used as a value, back to the arguments of the
// calls that may run this value.
func (t *trace) traceDynamicCalls(f *ssa.Function, index int, path accessPath) {
	isUsedAsValue := t.g.Code.Values[f] || len(t.g.closures[f]) > 0
	if !isUsedAsValue {
		return
	}
	for _, site := range t.g.dynamic {
		if t.g.mayCall(site.Common(), f) {
			t.traceArgument(site, f, index, path, anyCalls)
		}
	}
	t.traceCallbacks(f, path)
}

// traceCallbacks traces a parameter of f back to the arguments that functions without code receive
// together with f and may pass to it.
func (t *trace) traceCallbacks(f *ssa.Function, path accessPath) {
	for _, site := range t.g.outside {
		arg := t.g.CallbackArg(site.Common())
		if arg != nil && t.g.passes(site.Common(), f) {
			t.visit(arg, path, anyCalls)
		}
	}
}

// mayCall reports whether the call of a function value may run f.
func (g *Graph) mayCall(call *ssa.CallCommon, f *ssa.Function) bool {
	signature, ok := call.Value.Type().Underlying().(*types.Signature)
	if !ok || !types.Identical(signature, f.Signature) {
		return false
	}
	if slices.Contains(g.functions(call.Value), f) {
		return true
	}

	// While pointsTo searches for the called functions, none of them is known yet.
	if g.busy[call.Value] {
		return true
	}
	return slices.ContainsFunc(g.pointsTo(call.Value), func(o Origin) bool { return o.Unknown })
}

// passes reports whether a call passes f as an argument.
func (g *Graph) passes(call *ssa.CallCommon, f *ssa.Function) bool {
	return slices.ContainsFunc(call.Args, func(arg ssa.Value) bool {
		_, ok := arg.Type().Underlying().(*types.Signature)
		return ok && slices.Contains(g.functions(arg), f)
	})
}

// traceForeignReceiver traces the receiver of f, at index 0, back to the interface values of its type if
// code outside the analysis may call f.
func (t *trace) traceForeignReceiver(f *ssa.Function, index int, path accessPath) {
	if index > 0 || !t.g.Code.Foreign[f] {
		return
	}
	for _, box := range t.g.Code.Boxes {
		if types.Identical(box.X.Type(), f.Params[0].Type()) {
			t.visit(box.X, path, anyCalls)
		}
	}
}

// Callees returns the functions that a call may run, and none for the call of an interface method.
func (g *Graph) Callees(call *ssa.CallCommon) []*ssa.Function {
	if call.IsInvoke() {
		return nil
	}
	if callee := call.StaticCallee(); callee != nil {
		return []*ssa.Function{callee}
	}
	return g.functions(call.Value)
}

// functions returns the functions that a value of a function type can be, including those of closures.
func (g *Graph) functions(v ssa.Value) (all []*ssa.Function) {
	for _, o := range g.pointsTo(v) {
		switch callee := o.Value.(type) {
		case *ssa.Function:
			all = append(all, callee)
		case *ssa.MakeClosure:
			all = append(all, callee.Fn.(*ssa.Function))
		}
	}
	return all
}

// IsPassedOutside reports whether f is passed to a function outside the analysis, which may call f with
// any arguments.
func (g *Graph) IsPassedOutside(f *ssa.Function) bool {
	// The first call collects the functions of all calls.
	if g.passedOutside == nil {
		g.passedOutside = map[*ssa.Function]bool{}
		for _, site := range g.sites {
			if g.isOutside(site) {
				g.addPassed(site.Common())
			}
		}
	}
	return g.passedOutside[f]
}

// isOutside reports whether a call runs a function that is neither analyzed nor of the library, and
// may call its callbacks with any values.
func (g *Graph) isOutside(site ssa.CallInstruction) bool {
	call := site.Common()
	if call.IsInvoke() {
		return !g.IsLibrary(call.Method)
	}
	callee := call.StaticCallee()
	if callee == nil || g.Code.Has(callee) {
		return false
	}
	object, ok := callee.Object().(*types.Func)
	return !ok || !g.IsLibrary(object)
}

// addPassed adds the functions among the arguments of a call to g.passedOutside.
func (g *Graph) addPassed(call *ssa.CallCommon) {
	for _, arg := range call.Args {
		// A conversion to an interface does not hide the function.
		if box, ok := arg.(*ssa.MakeInterface); ok {
			arg = box.X
		}
		if _, ok := arg.Type().Underlying().(*types.Signature); !ok {
			continue
		}
		for _, f := range g.functions(arg) {
			g.passedOutside[f] = true
		}
	}
}

// IsCalled reports whether a call of a function value may run f.
func (g *Graph) IsCalled(f *ssa.Function) bool {
	return slices.ContainsFunc(g.dynamic, func(site ssa.CallInstruction) bool {
		return slices.Contains(g.Callees(site.Common()), f)
	})
}

package flow

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// call continues a trace from the result of a call to the values that the called function returns.
func (t *trace) call(v *ssa.Call, sub path, calls stack) {
	call := v.Common()
	if builtin, ok := call.Value.(*ssa.Builtin); ok {
		t.builtin(v, builtin, sub, calls)
		return
	}
	if call.IsInvoke() {
		t.invoke(v, sub, calls)
		return
	}
	if callee := call.StaticCallee(); callee != nil {
		t.static(v, callee, sub, calls)
		return
	}
	for _, o := range t.g.pointsTo(call.Value) {
		switch callee := o.Value.(type) {
		case *ssa.Function:
			t.static(v, callee, sub, calls)
		case *ssa.MakeClosure:
			t.static(v, callee.Fn.(*ssa.Function), sub, calls)
		case *ssa.Const: // nil
		default:
			t.unknown(v, calls)
		}
	}
}

// builtin continues a trace from the result of append to its arguments. Other built-in functions
// end the trace.
func (t *trace) builtin(v *ssa.Call, builtin *ssa.Builtin, sub path, calls stack) {
	if builtin.Name() != "append" {
		t.unknown(v, calls)
		return
	}
	for _, arg := range v.Call.Args {
		t.visit(arg, sub, calls)
	}
}

// static continues a trace from the result of a call to what callee returns. If the code of callee
// is not analyzed, the trace continues to the arguments that callee may return.
func (t *trace) static(v *ssa.Call, callee *ssa.Function, sub path, calls stack) {
	index, rest := cutResult(sub)
	if t.g.Code.Has(callee) {
		for _, r := range t.g.returns[callee] {
			if index < len(r.Results) {
				t.visit(r.Results[index], rest, push(t.g.siteOf[v], calls))
			}
		}
		return
	}

	args := t.g.ResultArgs(callee, v.Call.Args)
	for _, arg := range args {
		t.visit(arg, rest, calls)
	}
	if len(args) == 0 {
		object, _ := callee.Object().(*types.Func)
		t.outside(v, object, rest, calls)
	}
}

// invoke continues a trace from the result of an interface method to the results of the methods
// that the call can run.
func (t *trace) invoke(v *ssa.Call, sub path, calls stack) {
	isFound := false
	for _, o := range t.g.pointsTo(v.Call.Value) {
		receiver, ok := o.Value.(*ssa.MakeInterface)
		if !ok {
			continue
		}
		method := t.g.Code.Implementation(receiver.X.Type(), v.Call.Method)
		if method != nil && t.g.Code.Has(method) {
			t.static(v, method, sub, calls)
			isFound = true
		}
	}
	if !isFound {
		_, rest := cutResult(sub)
		t.outside(v, v.Call.Method, rest, calls)
	}
}

// outside ends a trace at the call of a function whose code is not analyzed. The trace searches for
// the result of the call, or for a value inside the result. If the path is "", the trace searches
// for the result itself, and the call is the origin. For a value inside the result, the origin is
// unknown. If [Graph].IsLibrary shows that this value cannot exist, outside adds an origin with Zero.
func (t *trace) outside(v *ssa.Call, callee *types.Func, inside path, calls stack) {
	switch {
	case inside == "":
		t.origin(v, calls)
	case strings.HasPrefix(inside, "!") && callee != nil && t.g.IsLibrary(callee):
		// The path asserts a type of the program, which no result of the library has.
		t.add(Origin{Value: v, Zero: true})
	default:
		t.unknown(v, calls)
	}
}

// parameter continues a trace from a parameter to the arguments of calls. If the stack is empty,
// the trace continues to the arguments of all calls. Otherwise it continues only to the arguments
// of the innermost call in the stack.
func (t *trace) parameter(p *ssa.Parameter, sub path, calls stack) {
	f := p.Parent()
	index := indexOf(f, p)
	if calls != "" {
		number, rest := pop(calls)
		t.argument(t.g.sites[number], f, index, sub, rest)
		return
	}

	before := t.visits
	for _, site := range t.g.static[f] {
		t.argument(site, f, index, sub, "")
	}
	t.invokedParameter(f, index, sub)
	t.dynamicParameter(f, index, sub)
	t.foreignParameter(f, index, sub)

	hasCallers := t.visits > before
	if !hasCallers || t.g.hasUnseenCallers(f, index) {
		t.unknown(p, "")
	}
}

// hasUnseenCallers reports whether code that is not analyzed may pass parameter number index to f.
func (g *Graph) hasUnseenCallers(f *ssa.Function, index int) bool {
	if g.Code.Exported[f] || g.IsHanded(f) {
		return true
	}
	// Such code chooses the arguments of a method, but its receiver is a value of the program.
	return g.Code.Foreign[f] && index > 0
}

// indexOf returns the index of a parameter of f.
func indexOf(f *ssa.Function, p *ssa.Parameter) int {
	return slices.Index(f.Params, p)
}

// argument continues a trace from a parameter of f. The trace continues with the argument that one
// call of f passes for this parameter.
func (t *trace) argument(site ssa.CallInstruction, f *ssa.Function, index int, sub path, calls stack) {
	call := site.Common()
	if !call.IsInvoke() {
		if arg := argumentOf(call, index); arg != nil {
			t.visit(arg, sub, calls)
		}
		return
	}
	// The arguments of an interface method do not include its receiver.
	if index == 0 {
		t.visit(call.Value, t.g.assert(f.Params[0].Type())+sub, calls)
		return
	}
	t.visit(call.Args[index-1], sub, calls)
}

// argumentOf returns the argument of a call with the given index. It returns nil for the call of an
// interface method, or if the call has fewer arguments.
func argumentOf(call *ssa.CallCommon, index int) ssa.Value {
	if call.IsInvoke() || index >= len(call.Args) {
		return nil
	}
	return call.Args[index]
}

// invokedParameter continues a trace from a parameter of f to the arguments of calls. It finds the
// calls of interface methods that may run f.
func (t *trace) invokedParameter(f *ssa.Function, index int, sub path) {
	if f.Signature.Recv() == nil {
		return
	}
	for _, site := range t.g.invoked[f.Name()] {
		if t.g.Code.Implementation(f.Params[0].Type(), site.Common().Method) == f {
			t.argument(site, f, index, sub, "")
		}
	}
	if index > 0 {
		return
	}
	for _, site := range t.g.outside {
		if receiver := t.g.ReceiverArg(site.Common(), f.Name()); receiver != nil {
			t.visit(receiver, t.g.assert(f.Params[0].Type())+sub, "")
		}
	}
}

// dynamicParameter continues a trace from a parameter of f to the arguments of calls. It finds the
// calls of function values that may run f.
func (t *trace) dynamicParameter(f *ssa.Function, index int, sub path) {
	if !t.g.Code.Values[f] && len(t.g.closures[f]) == 0 {
		return
	}
	for _, site := range t.g.dynamic {
		call := site.Common()
		signature, ok := call.Value.Type().Underlying().(*types.Signature)
		if ok && types.Identical(signature, f.Signature) && t.g.mayCall(call, f) {
			t.argument(site, f, index, sub, "")
		}
	}
	for _, site := range t.g.outside {
		arg := t.g.CallbackArg(site.Common())
		if arg != nil && t.g.passes(site.Common(), f) {
			t.visit(arg, sub, "")
		}
	}
}

// mayCall reports whether a call may run f. call must be the call of a function
// value.
func (g *Graph) mayCall(call *ssa.CallCommon, f *ssa.Function) bool {
	if slices.Contains(g.functions(call.Value), f) {
		return true
	}
	// While pointsTo searches for the called functions, none of them is known yet.
	if g.busy[call.Value] {
		return true
	}
	return slices.ContainsFunc(g.pointsTo(call.Value), func(o Origin) bool { return o.Unknown })
}

// passes reports whether f is an argument of a call.
func (g *Graph) passes(call *ssa.CallCommon, f *ssa.Function) bool {
	return slices.ContainsFunc(call.Args, func(arg ssa.Value) bool {
		_, ok := arg.Type().Underlying().(*types.Signature)
		return ok && slices.Contains(g.functions(arg), f)
	})
}

// foreignParameter continues a trace from the receiver of f, if code that is not analyzed may call
// f. It visits all values of the receiver's type that the program converts to an interface type.
func (t *trace) foreignParameter(f *ssa.Function, index int, sub path) {
	if index > 0 || !t.g.Code.Foreign[f] {
		return
	}
	for _, box := range t.g.Code.Boxes {
		if types.Identical(box.X.Type(), f.Params[0].Type()) {
			t.visit(box.X, sub, "")
		}
	}
}

// Callees returns the functions that a call of a function value may run.
func (g *Graph) Callees(call *ssa.CallCommon) []*ssa.Function { return g.functions(call.Value) }

// functions returns the functions that a value can be.
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

// IsHanded reports whether f is passed to a function whose code is not analyzed, and which may call
// f.
func (g *Graph) IsHanded(f *ssa.Function) bool {
	if g.handed == nil {
		g.handed = map[*ssa.Function]bool{}
		for _, site := range g.sites {
			if g.isOutside(site) {
				g.hand(site.Common())
			}
		}
	}
	return g.handed[f]
}

// isOutside reports whether a call runs a function that is neither analyzed nor part of the
// library. The function may call its callbacks with any values. In contrast, a function of the
// library passes to its callbacks only values that it has received.
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

// hand records the functions among the arguments of a call in g.handed.
func (g *Graph) hand(call *ssa.CallCommon) {
	for _, arg := range call.Args {
		if box, ok := arg.(*ssa.MakeInterface); ok {
			arg = box.X
		}
		if _, ok := arg.Type().Underlying().(*types.Signature); !ok {
			continue
		}
		for _, f := range g.functions(arg) {
			g.handed[f] = true
		}
	}
}

// IsCalled reports whether a call of a function value may run f.
func (g *Graph) IsCalled(f *ssa.Function) bool {
	return slices.ContainsFunc(g.dynamic, func(site ssa.CallInstruction) bool {
		return slices.Contains(g.Callees(site.Common()), f)
	})
}

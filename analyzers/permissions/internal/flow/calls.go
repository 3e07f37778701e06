package flow

import (
	"go/types"
	"slices"

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

func (t *trace) builtin(v *ssa.Call, builtin *ssa.Builtin, sub path, calls stack) {
	if builtin.Name() != "append" {
		t.unknown(v, calls)
		return
	}
	for _, arg := range v.Call.Args {
		t.visit(arg, sub, calls)
	}
}

func (t *trace) static(v *ssa.Call, callee *ssa.Function, sub path, calls stack) {
	if !t.g.Code.Has(callee) {
		_, rest := cutResult(sub)
		through := t.g.Through(callee, v.Call.Args)
		for _, arg := range through {
			t.visit(arg, rest, calls)
		}
		if len(through) == 0 {
			object, _ := callee.Object().(*types.Func)
			t.outside(v, object, rest, calls)
		}
		return
	}
	index, rest := cutResult(sub)
	for _, r := range t.g.returns[callee] {
		if index < len(r.Results) {
			t.visit(r.Results[index], rest, push(t.g.siteOf[v], calls))
		}
	}
}

// invoke continues a trace from the result of an interface method to the results of the methods
// that the call can run.
func (t *trace) invoke(v *ssa.Call, sub path, calls stack) {
	ok := false
	for _, o := range t.g.pointsTo(v.Call.Value) {
		switch receiver := o.Value.(type) {
		case *ssa.MakeInterface:
			if f := t.g.Code.Implementation(receiver.X.Type(), v.Call.Method); f != nil && t.g.Code.Has(f) {
				t.static(v, f, sub, calls)
				ok = true
			}
		case *ssa.Const: // nil
		}
	}
	if !ok {
		_, rest := cutResult(sub)
		t.outside(v, v.Call.Method, rest, calls)
	}
}

// outside ends a trace at the call of a function whose code is not analyzed. The trace searches for
// the result of the call, or for a value inside the result. If the path is "", the trace searches
// for the result itself, and the call is the origin. For a value inside the result, the origin is
// unknown. If [Graph].Own shows that this value cannot exist, outside adds an origin with Zero.
func (t *trace) outside(v *ssa.Call, callee *types.Func, inside path, calls stack) {
	switch {
	case inside == "":
		t.origin(v, calls)
	case inside[0] == '!' && callee != nil && t.g.Own(callee):
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
	visits := t.visits
	for _, site := range t.g.static[f] {
		t.argument(site, f, index, sub, "")
	}
	t.invokedParameter(f, index, sub)
	t.dynamicParameter(f, index, sub)
	t.foreignParameter(f, index, sub)
	if t.visits == visits || t.g.Code.Exported[f] || t.g.Code.Foreign[f] && index > 0 || t.g.IsHanded(f) {
		t.unknown(p, "")
	}
}

func indexOf(f *ssa.Function, p *ssa.Parameter) int {
	for i, param := range f.Params {
		if param == p {
			return i
		}
	}
	return 0
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
	if index == 0 {
		t.visit(call.Value, t.g.assert(f.Params[0].Type())+sub, calls)
		return
	}
	t.visit(call.Args[index-1], sub, calls)
}

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
		if value := t.g.Calls(site.Common(), f.Name()); value != nil {
			t.visit(value, t.g.assert(f.Params[0].Type())+sub, "")
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
		if fed := t.g.Feeds(site.Common()); fed != nil && t.g.passes(site.Common(), f) {
			t.visit(fed, sub, "")
		}
	}
}

// mayCall reports whether a call may run f. call must be the call of a function
// value.
func (g *Graph) mayCall(call *ssa.CallCommon, f *ssa.Function) bool {
	unknown := func(o Origin) bool { return o.Unknown }
	return slices.Contains(g.functions(call.Value), f) || slices.ContainsFunc(g.pointsTo(call.Value), unknown) ||
		g.busy[call.Value]
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
func (g *Graph) Callees(call *ssa.CallCommon) (all []*ssa.Function) { return g.functions(call.Value) }

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
		return !g.Own(call.Method)
	}
	callee := call.StaticCallee()
	if callee == nil || g.Code.Has(callee) {
		return false
	}
	object, ok := callee.Object().(*types.Func)
	return !ok || !g.Own(object)
}

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

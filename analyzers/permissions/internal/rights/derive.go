// Package rights derives which operations a program does on which buckets, from its code.
package rights

import (
	"cmp"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/omnibucket/storage/analyzers/permissions/internal/flow"
	"github.com/omnibucket/storage/analyzers/permissions/internal/program"
)

// A Right is an operation on a bucket that a call in the program needs.
type Right struct {
	Bucket    Bucket
	Operation string // the name of an operation in package permissions, or Anything
	Call      string // the file and line of the call
}

type deriver struct {
	program  *program.Program
	code     *program.Code
	graph    *flow.Graph
	types    libraryTypes
	rights   map[Right]bool
	resolved map[*ssa.Call]bool // calls that open a bucket and whose layers were found
	layers   []layer            // layers that pass operations to a second bucket
}

// Derive returns the rights that p needs in a fixed order.
func Derive(p *program.Program) []Right {
	d := &deriver{
		program:  p,
		types:    typesOf(p),
		rights:   map[Right]bool{},
		resolved: map[*ssa.Call]bool{},
	}
	d.code = program.Reach(p, d.methodsOf, callsByName)
	d.graph = d.newGraph()

	for _, f := range d.code.Functions {
		for _, block := range f.Blocks {
			for _, instruction := range block.Instrs {
				d.addInstruction(f, instruction)
			}
		}
	}

	// These rights follow from the rights found so far.
	d.addOtherLayers()
	d.addLayers()
	d.addProtected()
	return d.sorted()
}

// newGraph returns the graph of the program's values. The functions in its fields say what calls of
// the library do, whose code is not analyzed.
func (d *deriver) newGraph() *flow.Graph {
	g := flow.New(d.code)
	g.ResultArgs = resultArgs
	g.ReceiverArg = d.receiverArg
	g.CallbackArg = callbackArg
	g.IsLibrary = isLibrary
	return g
}

// addInstruction adds the rights for the call that an instruction of f may be, and for the
// functions that it uses as values.
func (d *deriver) addInstruction(f *ssa.Function, instruction ssa.Instruction) {
	if call, ok := instruction.(ssa.CallInstruction); ok {
		d.addCall(f, call)
	}
	d.addValues(f, instruction)
}

// addCall adds the rights that a call in f needs, which are operations on buckets.
func (d *deriver) addCall(f *ssa.Function, site ssa.CallInstruction) {
	call := site.Common()
	if call.IsInvoke() {
		d.addMethodCall(f, site)
		return
	}
	// The calls in a callee whose code is analyzed add their rights themselves.
	for _, callee := range d.graph.Callees(call) {
		if !d.code.Has(callee) {
			d.addFunctionCall(f, site, callee)
		}
	}
}

// addMethodCall adds the rights that a call of an interface method in f needs. It adds none if f only
// passes its own call to the method of the same name, because the callers of f need these rights.
func (d *deriver) addMethodCall(f *ssa.Function, site ssa.CallInstruction) {
	call := site.Common()
	needed := d.types.requirement(call.Method)
	if needed == nil {
		// The method is not one of the library.
		return
	}

	name := call.Method.Name()
	if f.Name() == name {
		// The compiler makes such a method for a struct that embeds an interface.
		isPromotion := f.Synthetic != ""
		// A layer passes the calls of its methods to the Core that it wraps.
		isLayer := f.Signature.Recv() != nil && d.types.isCore(call.Method)
		if isPromotion || isLayer {
			return
		}
	}
	d.add(f, site, call.Value, needed, name, optionsOf(call.Signature(), call.Args))
}

// addFunctionCall adds the rights for one call of a function whose code is not analyzed.
func (d *deriver) addFunctionCall(f *ssa.Function, site ssa.CallInstruction, callee *ssa.Function) {
	name := nameOf(callee)
	call := site.Common()
	options := optionsOf(callee.Signature, call.Args)

	// The rights of these functions depend on their arguments.
	if name == "storage.Copy" {
		d.addCopy(f, site, options)
		return
	}
	if name == "storage/transfer.Sync" {
		d.addSync(f, site, options)
		return
	}

	if name == "storage.StreamCopy" {
		// The table below has only the rights on the destination.
		d.addStreamSource(f, site)
	}
	if uses, ok := functions[name]; ok {
		for _, u := range uses {
			if u.arg < len(call.Args) {
				d.add(f, site, call.Args[u.arg], u.needs, u.method, options)
			}
		}
		return
	}

	isLibrary := isOurs(callee)
	if !isLibrary && !isReflection(name) {
		d.addForeignCall(f, site, callee)
		return
	}
	// Internal and harmless functions of the library need no rights.
	if isLibrary && (isInternal(callee) || harmless[name]) {
		return
	}

	// A function of the library that is not listed, or reflection, may do anything.
	for _, arg := range call.Args {
		d.addAnything(f, site, arg)
	}
}

// addForeignCall adds the rights for a call of a function that does not import the library. Such a
// function may do anything with a bucket that it receives.
func (d *deriver) addForeignCall(f *ssa.Function, site ssa.CallInstruction, callee *ssa.Function) {
	position := d.position(f, site.Pos())
	usesUnknown := d.constrainsToBucket(callee)
	for _, arg := range d.bucketArgs(callee, site.Common().Args) {
		buckets := d.buckets(arg, "", "")
		if len(buckets) == 0 {
			usesUnknown = true
		}
		for _, bucket := range buckets {
			d.addBucket(bucket, names(Anything), position)
		}
	}

	// A bucket that is not known is named after the call.
	if usesUnknown {
		bucket := Bucket{Name: shortOf(callee) + " in " + functionName(f), Unknown: true}
		d.addBucket(bucket, names(Anything), position)
	}
}

// bucketArgs returns the arguments of a call that are buckets. It leaves out the receiver, and
// arguments for a parameter whose type is a type parameter.
func (d *deriver) bucketArgs(callee *ssa.Function, args []ssa.Value) (all []ssa.Value) {
	// Only the declaration of a generic function has the type parameters.
	declared := callee.Signature
	if object := objectOf(callee); object != nil {
		declared = object.Signature()
	}
	if declared.Recv() != nil {
		args = args[1:]
	}

	for i, arg := range args {
		_, isTypeParam := declared.Params().At(i).Type().(*types.TypeParam)
		if !isTypeParam && d.types.isBucket(arg.Type()) {
			all = append(all, arg)
		}
	}
	return all
}

// constrainsToBucket reports whether callee is an instance of a generic function that can call
// methods of a bucket, because a constraint of its type parameters has methods.
func (d *deriver) constrainsToBucket(callee *ssa.Function) bool {
	for i, arg := range callee.TypeArgs() {
		constraint, ok := callee.TypeParams().At(i).Constraint().Underlying().(*types.Interface)
		if ok && constraint.NumMethods() > 0 && d.hasBucketMethod(arg) {
			return true
		}
	}
	return false
}

// hasBucketMethod reports whether a type has one of the methods of a bucket.
func (d *deriver) hasBucketMethod(t types.Type) bool {
	for selection := range d.program.SSA.MethodSets.MethodSet(t).Methods() {
		if method, ok := selection.Obj().(*types.Func); ok && hasMethod(d.types.bucket, method) {
			return true
		}
	}
	return false
}

// addCopy adds the rights that a call of storage.Copy needs. A copy inside a bucket needs others than a
// copy between two buckets. If the code allows both, addCopy adds the rights of both.
func (d *deriver) addCopy(f *ssa.Function, site ssa.CallInstruction, options ssa.Value) {
	// The arguments are ctx, dst, dstKey, src, srcKey and the options.
	args := site.Common().Args
	dst := args[1]
	src := args[3]
	dstBuckets := d.buckets(dst, "", "")
	srcBuckets := d.buckets(src, "", "")

	mayBeSame := slices.ContainsFunc(dstBuckets, func(b Bucket) bool {
		return containsBucket(srcBuckets, b)
	})
	areSame := mayBeSame && len(dstBuckets) == 1 && len(srcBuckets) == 1
	if mayBeSame {
		d.add(f, site, dst, copyInside, "", options)
	}
	if !areSame {
		d.add(f, site, dst, copyTo, "", options)
		d.add(f, site, src, copyFrom, "", options)
	}
}

// addStreamSource adds the rights that a call of storage.StreamCopy needs for its source.
func (d *deriver) addStreamSource(f *ssa.Function, site ssa.CallInstruction) {
	// The arguments are ctx, dst, dstKey, src and more.
	src := site.Common().Args[3]

	for _, o := range d.graph.Trace(src, "") {
		if _, isParam := o.Value.(*ssa.Parameter); isParam {
			// The call of storage.Copy that runs f, a method of a Core, has added these rights.
			continue
		}
		for _, bucket := range d.bucketsOf(o, "Download") {
			d.addBucket(bucket, download.operations(nil, true), d.position(f, site.Pos()))
		}
	}
}

func containsBucket(all []Bucket, b Bucket) bool {
	return slices.ContainsFunc(all, func(other Bucket) bool { return other.Name == b.Name })
}

// addAnything adds the right to do anything with an argument that is a bucket, or with each bucket
// inside another argument, such as a struct.
func (d *deriver) addAnything(f *ssa.Function, site ssa.CallInstruction, arg ssa.Value) {
	arg = d.withoutConversions(arg)
	if d.types.isBucket(arg.Type()) {
		d.add(f, site, arg, anything, "", nil)
		return
	}
	for _, bucket := range d.bucketsInside(arg, "", maxBoxes) {
		d.addBucket(bucket, names(Anything), d.position(f, site.Pos()))
	}
}

// withoutConversions returns the value that an argument was before its conversion to the type of
// the parameter. That type may be any, or an interface of values that are not buckets.
func (d *deriver) withoutConversions(arg ssa.Value) ssa.Value {
	switch conversion := arg.(type) {
	case *ssa.MakeInterface:
		return conversion.X
	case *ssa.ChangeInterface:
		if !d.types.isBucket(conversion.Type()) {
			return conversion.X
		}
	}
	return arg
}

// maxBoxes is the largest number of interface values around a bucket that bucketsInside looks into.
const maxBoxes = 4

// bucketsInside returns the buckets inside a value, such as those in the fields of a struct, reached
// through at most the given number of interface values.
func (d *deriver) bucketsInside(v ssa.Value, stack string, boxes int) (all []Bucket) {
	for _, part := range d.graph.Parts(v, stack) {
		if d.types.isBucket(part.Type) && len(part.Origins) == 0 {
			all = append(all, unknownValue(v.Parent()))
		}
		for _, o := range part.Origins {
			all = append(all, d.bucketsInPart(part, o, boxes)...)
		}
	}
	return uniqueBuckets(all)
}

// bucketsInPart returns the buckets that a part of a value is or contains, if it has the origin o. It
// follows at most the given number of nested interface values.
func (d *deriver) bucketsInPart(part flow.Part, o flow.Origin, boxes int) []Bucket {
	if o.Zero {
		return nil
	}
	if box, ok := o.Value.(*ssa.MakeInterface); ok && boxes > 0 {
		return d.bucketsInside(box.X, o.Stack, boxes-1)
	}
	if d.types.isBucket(part.Type) || d.returnsBucket(o.Value.Type()) {
		return d.bucketsOf(o, "")
	}
	return nil
}

// returnsBucket reports whether t is a bucket, or a tuple of results with a bucket.
func (d *deriver) returnsBucket(t types.Type) bool {
	results, ok := t.(*types.Tuple)
	if !ok {
		return d.types.isBucket(t)
	}
	for v := range results.Variables() {
		if d.types.isBucket(v.Type()) {
			return true
		}
	}
	return false
}

// addValues adds rights for library functions that an instruction uses as values, such as
// arguments.
func (d *deriver) addValues(f *ssa.Function, instruction ssa.Instruction) {
	// The function that a call runs is not a value.
	var called ssa.Value
	if call, ok := instruction.(ssa.CallInstruction); ok && !call.Common().IsInvoke() {
		called = call.Common().Value
	}
	for _, operand := range instruction.Operands(nil) {
		value, ok := (*operand).(*ssa.Function)
		if ok && value != called && !d.code.Has(value) {
			d.addValue(f, instruction, value)
		}
	}
}

// addValue adds the rights of a library function, used as a value by an instruction of f, for a
// bucket that is not known. If only analyzed code calls the function,
// those calls add its rights.
func (d *deriver) addValue(f *ssa.Function, instruction ssa.Instruction, value *ssa.Function) {
	onlyAnalyzedCalls := d.graph.IsCalled(value) && !d.graph.IsPassedOutside(value)
	if onlyAnalyzedCalls {
		return
	}
	needed := firstRequirement(nameOf(value))
	if needed == nil {
		return
	}

	// The options of the calls are not known either.
	operations := needed.operations(nil, unknownOptions)
	bucket := Bucket{Name: shortOf(value) + " as a value in " + functionName(f), Unknown: true}
	d.addBucket(bucket, operations, d.position(f, instruction.Pos()))
}

// firstRequirement returns the operations of a library function on its first bucket, or nil if the
// function uses no bucket.
func firstRequirement(name string) *requirement {
	switch name {
	case "storage.Copy", "storage/transfer.Sync":
		return copyInside
	}
	uses := functions[name]
	if len(uses) == 0 {
		return nil
	}
	return uses[0].needs
}

// add records the operations of a call for each bucket that v can be.
//
// The method called on v has the given name, which is "" if the callee takes only buckets of the
// library.
func (d *deriver) add(
	f *ssa.Function, site ssa.CallInstruction, v ssa.Value, needs *requirement, method string, options ssa.Value,
) {
	operations := needs.operations(d.options(options))
	if len(operations) == 0 {
		return
	}
	for _, bucket := range d.buckets(v, "", method) {
		d.addBucket(bucket, operations, d.position(f, site.Pos()))
	}
}

// addBucket records operations of one call on a bucket and, for a bucket not seen before, the layers
// with which it is opened.
func (d *deriver) addBucket(bucket Bucket, operations []string, position string) {
	for _, operation := range operations {
		d.rights[Right{bucket, operation, position}] = true
	}
	if bucket.open != nil && !d.resolved[bucket.open] {
		d.resolved[bucket.open] = true
		d.layersOf(bucket)
	}
}

// sorted returns the rights by bucket, operation and call, with the known buckets first.
func (d *deriver) sorted() []Right {
	var all []Right
	for r := range d.rights {
		// Two calls may open the same bucket. Compact merges their rights if they differ only in open.
		r.Bucket.open = nil
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Right) int {
		return cmp.Or(
			compareBool(a.Bucket.Unknown, b.Bucket.Unknown),
			strings.Compare(a.Bucket.String(), b.Bucket.String()),
			strings.Compare(a.Operation, b.Operation),
			comparePositions(a.Call, b.Call),
		)
	})
	return slices.Compact(all)
}

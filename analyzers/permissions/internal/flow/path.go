package flow

import (
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// An accessPath leads from a value to a value inside it, for example to a field of an element. It consists
// of steps, and each step ends in ";". The constants below are steps. There are three more kinds of
// steps:
//
//   - "f3.9;" leads to field 3 of a struct. Fields are counted from 0. The number of the struct's
//     type is 9. See Graph.field.
//   - "!7;" leads to the value in an interface value, if its type has the number 7. See
//     Graph.assert.
//   - "#1;" leads to result 1 of a call. Results are counted from 0.
type accessPath = string

const (
	deref   = "*;"   // the variable that a pointer points to
	element = "[];"  // an element of an array or slice
	mapped  = "{};"  // a value of a map
	mapKey  = "{k};" // a key of a map
	sent    = "<-;"  // a value that was sent to a channel
)

// field returns the step from a struct to its field number i. For a pointer to a struct, it returns
// the same step.
func (g *Graph) field(typ types.Type, i int) accessPath {
	return "f" + strconv.Itoa(i) + "." + strconv.Itoa(g.number(pointed(typ))) + ";"
}

// fieldOf returns the number of the field to which a step such as "f3.9" leads, and false for
// another kind of step.
func fieldOf(step string) (index int, ok bool) {
	numbers, ok := strings.CutPrefix(step, "f")
	if !ok {
		return 0, false
	}
	number, _, _ := strings.Cut(numbers, ".")
	index, err := strconv.Atoi(number)
	return index, err == nil
}

// result returns the step from the results of a call to result number i.
func result(i int) accessPath { return "#" + strconv.Itoa(i) + ";" }

// cutResult splits a path that begins with a result of a call, such as "#1;", into the number of
// the result and the rest. For any other path, the number is 0.
func cutResult(path accessPath) (index int, rest accessPath) {
	steps, isResult := strings.CutPrefix(path, "#")
	if !isResult {
		return 0, path
	}
	number, rest, _ := strings.Cut(steps, ";")
	index, _ = strconv.Atoi(number)
	return index, rest
}

// A callStack has the numbers of the calls through which a trace has entered functions. The innermost
// stepCall comes first. If a trace reaches a parameter, the trace continues to the argument of the
// innermost call. If the stack is empty, the trace continues to the arguments of all calls.
type callStack = string

// anyCalls is the empty stack.
const anyCalls callStack = ""

// maxCalls is the largest number of calls in a stack. If there are more calls, the outermost ones
// are dropped.
const maxCalls = 6

// enter returns the stack of a trace that enters a function by the call site, after the calls of
// callers. A stack such as "7;3;12;" has the innermost call first. It keeps at most maxCalls calls,
// without the outermost ones.
func (g *Graph) enter(site ssa.CallInstruction, callers callStack) callStack {
	stack := strconv.Itoa(g.siteOf[site]) + ";" + callers
	if strings.Count(stack, ";") <= maxCalls {
		return stack
	}

	// Each call of enter adds one call, so there is only one too many.
	beforeOutermost := strings.LastIndexByte(strings.TrimSuffix(stack, ";"), ';') + 1
	return stack[:beforeOutermost]
}

// leave returns the innermost call of a stack that is not empty, and the other calls.
func (g *Graph) leave(stack callStack) (site ssa.CallInstruction, callers callStack) {
	innermost, callers, _ := strings.Cut(stack, ";")
	number, _ := strconv.Atoi(innermost)
	return g.sites[number], callers
}

// These limits end a trace that would otherwise be endless. For example, a path can have any length
// in a linked list, or in readers that wrap other readers. The limits lose no origins, because a
// shorter path leads to the same values as the long path.
//
// A path has at most maxRepeats steps through one field, and at most maxBoxes steps through
// interface values. It has at most maxSteps steps in total.
const (
	maxRepeats = 2
	maxBoxes   = 4
	maxSteps   = 24
)

// isEndless reports whether a path exceeds a limit, as a path through a linked list may.
func isEndless(path accessPath) bool {
	steps := strings.Count(path, ";")
	boxes := strings.Count(path, "!")
	return steps > maxSteps || boxes > maxBoxes || isRepetitive(path)
}

// isRepetitive reports whether the first step of a path is repeated maxRepeats times, as in a path
// through a linked list. The step must lead to a field, such as "f3.9;", or into an interface value,
// such as "!7;".
//
// Only the first step can newly exceed the limit, because a trace adds steps at the front.
func isRepetitive(path accessPath) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, deref), ";")
	isField := strings.HasPrefix(first, "f")
	isInInterface := strings.HasPrefix(first, "!")
	if !isField && !isInInterface {
		return false
	}

	// Without the semicolons, the step f1.2 would also be found in f1.23.
	repeats := strings.Count(";"+rest, ";"+first+";")
	return repeats >= maxRepeats
}

// location returns the value from which an address is derived, and the path from it to the variable
// at the address.
//
// For the address &s[2].name, these are s and the path through an element to the field name.
func (g *Graph) location(address ssa.Value) (ssa.Value, accessPath) {
	switch a := address.(type) {
	case *ssa.FieldAddr:
		root, toStruct := g.location(a.X)
		return root, toStruct + g.field(a.X.Type(), a.Field)
	case *ssa.IndexAddr:
		isSlice := !isPointer(a.X.Type())
		if isSlice {
			return a.X, element
		}
		root, toArray := g.location(a.X)
		return root, toArray + element
	}
	return address, deref
}

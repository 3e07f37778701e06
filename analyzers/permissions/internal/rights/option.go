package rights

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/omnibucket/storage/analyzers/permissions/internal/flow"
	"github.com/omnibucket/storage/analyzers/permissions/internal/program"
)

// optionsOf returns the last argument of a call, which has its options, or nil if the call takes
// none.
func optionsOf(signature *types.Signature, args []ssa.Value) ssa.Value {
	if !signature.Variadic() || len(args) == 0 {
		return nil
	}
	return args[len(args)-1]
}

// options returns the names of the options in v, such as WithTags, and whether v can have no
// others.
func (d *deriver) options(v ssa.Value) (all []string, known bool) {
	known = true
	if v == nil {
		// The call has no options.
		return nil, known
	}

	for _, o := range d.graph.Elements(v, "") {
		names, complete := d.optionNames(o)
		all = append(all, names...)
		known = known && complete
	}
	slices.Sort(all)
	return slices.Compact(all), known
}

// optionNames returns the names of the options, such as WithTags, that a value with the origin o
// can be. known is true if it can be no others.
func (d *deriver) optionNames(o flow.Origin) (all []string, known bool) {
	if o.Zero {
		return nil, true
	}
	switch v := o.Value.(type) {
	case *ssa.Const:
		// A nil option changes nothing.
		return nil, true
	case *ssa.MakeInterface:
		// The option is a value that was converted to the interface type of options.
		return d.concreteOptionNames(v.X, o.Stack)
	case *ssa.Call:
		return d.constructorNames(v)
	}
	return nil, false
}

// concreteOptionNames is optionNames for a value of a concrete type: a struct of options, each of
// whose fields stands for an option, or the value of one option.
func (d *deriver) concreteOptionNames(v ssa.Value, stack string) (all []string, known bool) {
	if fields, ok := v.Type().Underlying().(*types.Struct); ok && isOptions(v.Type()) {
		return d.optionsOfFields(v, fields, stack), true
	}
	known = true
	for _, o := range d.graph.Trace(v, stack) {
		inner, isKnown := d.optionNames(o)
		all = append(all, inner...)
		known = known && isKnown
	}
	return all, known
}

// constructorNames returns the names of the library's functions that make the option of a call, and
// whether no other function can make it.
func (d *deriver) constructorNames(call *ssa.Call) (all []string, known bool) {
	callees := d.graph.Callees(&call.Call)
	for _, callee := range callees {
		if !isOurs(callee) || objectOf(callee) == nil {
			return nil, false
		}
		all = append(all, objectOf(callee).Name())
	}
	return all, len(callees) > 0
}

// isOptions reports whether t is a struct of options, such as storage.DownloadOptions. Such a
// struct can be passed as one option.
func isOptions(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == program.Storage &&
		strings.HasSuffix(named.Obj().Name(), "Options")
}

// fieldOptions maps the fields of structs of options to the options that set them.
var fieldOptions = map[string]string{
	"IfAbsent":         "IfAbsent",
	"IfRevision":       "IfRevision",
	"Version":          "WithVersion",
	"Tags":             "WithTags",
	"Retention":        "WithRetention",
	"LegalHold":        "WithLegalHold",
	"PublicRead":       "WithPublicRead",
	"GovernanceBypass": "WithGovernanceBypass",
	"BypassGovernance": "WithGovernanceBypass",
	"Resume":           "WithResume",
	"Native":           "WithKMSKey",
}

// optionsOfFields returns the options, such as WithTags, whose fields the program may set in a struct of
// options or in a struct embedded in it.
func (d *deriver) optionsOfFields(v ssa.Value, fields *types.Struct, stack string) (all []string) {
	for i := range fields.NumFields() {
		field := fields.Field(i)
		if embedded, ok := field.Type().Underlying().(*types.Struct); ok && field.Embedded() {
			for j := range embedded.NumFields() {
				all = append(all, d.optionOfField(embedded.Field(j), v, []int{i, j}, stack)...)
			}
			continue
		}
		all = append(all, d.optionOfField(field, v, []int{i}, stack)...)
	}
	return all
}

// optionOfField returns the option that the field of v at these nested indexes stands for, or nil if
// the program does not set the field.
func (d *deriver) optionOfField(field *types.Var, v ssa.Value, indexes []int, stack string) []string {
	option := fieldOptions[field.Name()]
	if option == "" {
		return nil
	}
	maySet := slices.ContainsFunc(d.graph.Fields(v, indexes, stack), func(o flow.Origin) bool {
		return !o.Zero && !isEmpty(o.Value)
	})
	if !maySet {
		return nil
	}
	return names(option)
}

package permissions

import (
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// A Group is a name for several operations, such as "read".
type Group struct {
	Name       string
	Detail     string // says what a program with these operations does
	Operations []Operation
}

// Groups returns the groups whose names [Parse] accepts.
func Groups() []Group {
	return []Group{
		{"read", "reads objects, versions and tags", []Operation{"download", "download-version", "tags"}},
		{"write", "stores objects, and does not read them", []Operation{
			"upload", "upload-over", "upload-if-absent", "upload-parts", "upload-parts-failed", "upload-resumed",
		}},
		{"everything", "does everything with objects, except for locks, keys and access lists", everything()},
	}
}

// everything returns the operations on objects and their tags.
func everything() (all []Operation) {
	for _, r := range onObjects {
		if r.operation != "copy-without-tags" {
			// On Google, this operation needs a permission that no other operation needs.
			all = append(all, r.operation)
		}
	}
	return append(all, "upload-with-tags", "tags", "add-tags", "change-tags", "remove-tags")
}

func groupNames() (names []string) {
	for _, g := range Groups() {
		names = append(names, g.Name)
	}
	return names
}

// Parse returns the operations that the given names select, in the order of [Operations], each
// once. A name is the name of an operation or of a group. If a name begins with "-", the operations
// of that name are left out of the result, as in Parse("everything", "-list-uploads"). The order of
// the names does not matter. Parse fails with InvalidArgument if a name is unknown, or if no
// operation is left.
func Parse(names ...string) ([]Operation, error) {
	added := map[Operation]bool{}
	denied := map[Operation]bool{}
	for _, name := range names {
		wanted, takes := strings.CutPrefix(name, "-")
		operations, err := named(wanted)
		if err != nil {
			return nil, err
		}
		for _, o := range operations {
			if takes {
				denied[o] = true
			} else {
				added[o] = true
			}
		}
	}
	operations := slices.DeleteFunc(Operations(), func(o Operation) bool { return !added[o] || denied[o] })
	if len(operations) == 0 {
		return nil, argument.Invalid("operations", "must not be empty", "")
	}
	return operations, nil
}

func named(name string) ([]Operation, error) {
	for _, g := range Groups() {
		if g.Name == name {
			return g.Operations, nil
		}
	}
	if _, ok := places()[Operation(name)]; !ok {
		return nil, unknown(name)
	}
	return []Operation{Operation(name)}, nil
}

func quoted(name string) string { return strconv.Quote(name) }

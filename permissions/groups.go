package permissions

import (
	"slices"
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
func everything() []Operation {
	var operations []Operation
	for _, r := range onObjects {
		if r.operation == "copy-without-tags" {
			// On Google, this operation needs a permission that no other operation needs.
			continue
		}
		operations = append(operations, r.operation)
	}
	return append(operations, "upload-with-tags", "tags", "add-tags", "change-tags", "remove-tags")
}

func groupNames() []string {
	var names []string
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
	removed := map[Operation]bool{}
	for _, name := range names {
		name, isRemoval := strings.CutPrefix(name, "-")
		operations, err := operationsNamed(name)
		if err != nil {
			return nil, err
		}

		selected := added
		if isRemoval {
			selected = removed
		}
		for _, o := range operations {
			selected[o] = true
		}
	}

	operations := slices.DeleteFunc(Operations(), func(o Operation) bool { return !added[o] || removed[o] })
	if len(operations) == 0 {
		return nil, argument.Invalid("operations", "must not be empty", "")
	}
	return operations, nil
}

// operationsNamed returns the operations of the group with the name, or the one operation with the
// name. If there is none, it fails with InvalidArgument.
func operationsNamed(name string) ([]Operation, error) {
	for _, g := range Groups() {
		if g.Name == name {
			return g.Operations, nil
		}
	}

	o := Operation(name)
	if _, ok := rowsByOperation()[o]; !ok {
		return nil, unknownOperationError(name)
	}
	return []Operation{o}, nil
}

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
		{
			Name:       "read",
			Detail:     "reads objects, versions and tags",
			Operations: []Operation{"download", "download-version", "tags"},
		},
		{
			Name:   "write",
			Detail: "stores objects, and does not read them",
			Operations: []Operation{
				"upload", "upload-over", "upload-if-absent", "upload-parts", "upload-parts-failed", "upload-resumed",
			},
		},
		{
			Name:       "everything",
			Detail:     "does everything with objects, except for locks, keys and access lists",
			Operations: everything(),
		},
	}
}

// everything returns the operations of the group "everything", which are those on objects and on the
// tags of objects.
func everything() []Operation {
	var operations []Operation
	for _, row := range onObjects {
		if row.operation == "copy-without-tags" {
			// On Google, this operation needs a permission that no other operation needs.
			continue
		}
		operations = append(operations, row.operation)
	}
	return append(operations, "upload-with-tags", "tags", "add-tags", "change-tags", "remove-tags")
}

// groupNames returns the names of all groups.
func groupNames() []string {
	var names []string
	for _, group := range Groups() {
		names = append(names, group.Name)
	}
	return names
}

// Parse returns the operations that the names select, in the order of [Operations] and each once. A
// name is that of an operation or of a group. A "-" before a name leaves out its operations, as in
// Parse("everything", "-list-uploads"), wherever the name stands. Parse fails with InvalidArgument
// if a name is unknown, or if no operation is left.
func Parse(names ...string) ([]Operation, error) {
	// Sort the operations into those to include and those to leave out.
	included := map[Operation]bool{}
	excluded := map[Operation]bool{}
	for _, name := range names {
		name, isExclusion := strings.CutPrefix(name, "-")
		operations, err := operationsNamed(name)
		if err != nil {
			return nil, err
		}

		set := included
		if isExclusion {
			set = excluded
		}
		for _, o := range operations {
			set[o] = true
		}
	}

	// An exclusion wins over an inclusion, wherever its name stands.
	operations := slices.DeleteFunc(Operations(), func(o Operation) bool {
		return !included[o] || excluded[o]
	})
	if len(operations) == 0 {
		return nil, argument.Invalid("operations", "must not be empty", "")
	}
	return operations, nil
}

// operationsNamed returns the operations of the group with the name, or the one operation with the
// name. If there is neither, it fails with InvalidArgument.
func operationsNamed(name string) ([]Operation, error) {
	for _, group := range Groups() {
		if group.Name == name {
			return group.Operations, nil
		}
	}

	operation := Operation(name)
	if _, ok := rowsByOperation()[operation]; !ok {
		return nil, unknownOperationError(name)
	}
	return []Operation{operation}, nil
}

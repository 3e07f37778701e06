package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/omnibucket/storage/analyzers/permissions/internal/rights"
)

// A report has the operations of one program, by bucket, in order.
type report struct {
	Program string   `json:"program"`
	Buckets []bucket `json:"buckets"`
}

// A bucket has the operations of a program on one bucket, or on a part of it.
type bucket struct {
	Name       string      `json:"bucket"`
	Unknown    bool        `json:"unknown,omitempty"`
	Operations []operation `json:"operations"`
	source     rights.Bucket
}

// An operation has the positions in the program that call it.
type operation struct {
	Name  string   `json:"operation"`
	Calls []string `json:"calls"`
}

// newReport returns the report of a program with the given rights. Known buckets come before unknown
// ones, and both are sorted by name.
//
// known has the addresses of buckets whose address is not in the program's code, by the bucket's name.
func newReport(program string, all []rights.Right, known addresses) report {
	r := report{Program: program}
	for _, right := range all {
		b := right.Bucket
		if address := known[b.Name]; address != "" {
			b = rights.AtAddress(address, b.Prefix)
		}
		r.bucket(b).add(right.Operation, right.Call)
	}

	slices.SortStableFunc(r.Buckets, func(a, b bucket) int {
		if a.Unknown && !b.Unknown {
			return 1
		}
		if b.Unknown && !a.Unknown {
			return -1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return r
}

// bucket returns the entry of r for a bucket, which it adds if r does not have one.
func (r *report) bucket(source rights.Bucket) *bucket {
	name := source.String()
	for i := range r.Buckets {
		if r.Buckets[i].Name == name {
			return &r.Buckets[i]
		}
	}
	r.Buckets = append(r.Buckets, bucket{Name: name, Unknown: source.Unknown, source: source})
	return &r.Buckets[len(r.Buckets)-1]
}

// add adds one call of an operation, and keeps the operations sorted by name.
func (b *bucket) add(name, call string) {
	index, exists := slices.BinarySearchFunc(b.Operations, name, func(op operation, name string) int {
		return strings.Compare(op.Name, name)
	})
	if !exists {
		b.Operations = slices.Insert(b.Operations, index, operation{Name: name})
	}

	op := &b.Operations[index]
	if !slices.Contains(op.Calls, call) {
		op.Calls = append(op.Calls, call)
	}
}

// operationNames returns the names of the operations, in order.
func (b *bucket) operationNames() []string {
	var names []string
	for _, o := range b.Operations {
		names = append(names, o.Name)
	}
	return names
}

// printText prints the reports as an outline of programs, buckets and operations.
func printText(w io.Writer, all []report) {
	for _, r := range all {
		fmt.Fprintln(w, r.Program)
		for _, b := range r.Buckets {
			fmt.Fprintln(w, "  "+b.Name)
			for _, o := range b.Operations {
				fmt.Fprintf(w, "    %-24s %s\n", o.Name, strings.Join(o.Calls, ", "))
			}
		}
	}
}

// printJSON prints the reports as an indented JSON array.
func printJSON(w io.Writer, all []report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}

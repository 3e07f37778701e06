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
	place      rights.Place
}

// An operation has the places in the program that call it.
type operation struct {
	Name  string   `json:"operation"`
	Calls []string `json:"calls"`
}

// newReport returns the report of a program with the given rights, in which known buckets precede
// unknown ones, both sorted by name.
//
// The map names has the addresses of buckets whose address is not in the program's code.
func newReport(program string, all []rights.Right, names addresses) report {
	r := report{Program: program}
	for _, right := range all {
		place := right.Place
		if address := names[place.Name]; address != "" {
			place = rights.AtAddress(address, place.Prefix)
		}
		r.bucket(place).add(right.Operation, right.Call)
	}

	slices.SortStableFunc(r.Buckets, func(a, b bucket) int {
		if a.Unknown == b.Unknown {
			return strings.Compare(a.Name, b.Name)
		}
		if a.Unknown {
			return 1
		}
		return -1
	})
	return r
}

// bucket returns the bucket of r at a place, which it adds if r does not have it.
func (r *report) bucket(place rights.Place) *bucket {
	name := place.String()
	for i := range r.Buckets {
		if r.Buckets[i].Name == name {
			return &r.Buckets[i]
		}
	}
	r.Buckets = append(r.Buckets, bucket{Name: name, Unknown: place.Unknown, place: place})
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

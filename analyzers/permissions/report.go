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

type bucket struct {
	Name       string      `json:"bucket"`
	Unknown    bool        `json:"unknown,omitempty"`
	Operations []operation `json:"operations"`
	place      rights.Place
}

type operation struct {
	Name  string   `json:"operation"`
	Calls []string `json:"calls"`
}

func newReport(program string, all []rights.Right, names addresses) report {
	r := report{Program: program}
	for _, right := range all {
		place := right.Place
		if address := names[place.Name]; address != "" {
			place = rights.AtAddress(address, place.Prefix)
		}
		b := r.bucket(place)
		b.add(right.Operation, right.Call)
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

func (b *bucket) add(name, call string) {
	i, ok := slices.BinarySearchFunc(b.Operations, name, func(o operation, name string) int {
		return strings.Compare(o.Name, name)
	})
	if !ok {
		b.Operations = slices.Insert(b.Operations, i, operation{Name: name})
	}
	if calls := &b.Operations[i].Calls; !slices.Contains(*calls, call) {
		*calls = append(*calls, call)
	}
}

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

func printJSON(w io.Writer, all []report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}

// Apilist compares the exported API of the module in the working directory with the listing in
// api.txt, and prints what was added and removed:
//
//	go run ./internal/checks/apilist        # fails if the listing differs
//	go run ./internal/checks/apilist -w     # writes the listing
//
// A line that is removed or changed breaks programs; docs/versions.md says when that may be.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

const listing = "api.txt"

func main() {
	write := flag.Bool("w", false, "write the listing")
	flag.Parse()
	if err := run(*write); err != nil {
		fmt.Fprintln(os.Stderr, "apilist:", err)
		os.Exit(1)
	}
}

func run(write bool) error {
	lines, err := apiOf("./...")
	if err != nil {
		return err
	}
	if write {
		return os.WriteFile(listing, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	}
	text, err := os.ReadFile(listing)
	if err != nil {
		return err
	}
	removed, added := difference(strings.Split(strings.TrimSpace(string(text)), "\n"), lines)
	for _, line := range removed {
		fmt.Println("removed:", line)
	}
	for _, line := range added {
		fmt.Println("added:  ", line)
	}
	if len(removed)+len(added) > 0 {
		return fmt.Errorf(`%s is out of date: "make api" writes it, and CHANGELOG.md names what was removed`, listing)
	}
	return nil
}

// difference returns the lines that only one of two sorted listings has.
func difference(before, after []string) (removed, added []string) {
	for _, line := range before {
		if _, found := slices.BinarySearch(after, line); !found {
			removed = append(removed, line)
		}
	}
	for _, line := range after {
		if _, found := slices.BinarySearch(before, line); !found {
			added = append(added, line)
		}
	}
	return removed, added
}

// Apilist compares the exported API of the root module with the list in api.txt, and prints what
// was added or removed:
//
//	go run -C tools ./checks/apilist        # fails if the list differs
//	go run -C tools ./checks/apilist -w     # writes the list
//
// If a line is removed or changed, programs may no longer compile. docs/versions.md says when that
// is permitted.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/omnibucket/storage/tools/checks/repository"
)

const listing = "api.txt"

func main() {
	write := flag.Bool("w", false, "write the listing")
	flag.Parse()
	err := repository.Enter()
	if err == nil {
		err = run(*write)
	}
	if err != nil {
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

// difference compares two sorted lists. It returns the lines that are only in old, and the lines that
// are only in current.
func difference(old, current []string) (removed, added []string) {
	for _, line := range old {
		if _, ok := slices.BinarySearch(current, line); !ok {
			removed = append(removed, line)
		}
	}
	for _, line := range current {
		if _, ok := slices.BinarySearch(old, line); !ok {
			added = append(added, line)
		}
	}
	return removed, added
}

// Apilist compares the exported API of the modules that programs import with the listings in
// docs/api, one of each package, and prints what was added or removed. It also compares the links to
// the listings in llms.txt:
//
//	go run -C tools ./checks/apilist        # fails if a listing differs
//	go run -C tools ./checks/apilist -w     # writes the listings and the links
//
// If a line is removed or changed, programs may no longer compile. docs/versions.md says when that
// is permitted.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/omnibucket/storage/tools/checks/repository"
)

const (
	folder = "docs/api"
	index  = "llms.txt"
)

var errOutOfDate = errors.New(`the listing of the API is out of date: "make api" writes it, and CHANGELOG.md names what was removed`)

func main() {
	write := flag.Bool("w", false, "write the listings")
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

// run compares the listings of the exported API and the links to them with the packages. If write is
// true, it writes the current ones. Otherwise it prints the differences, and fails if there are any.
func run(write bool) error {
	packages, err := publicPackages()
	if err != nil {
		return err
	}

	// Make the current listings, and read the old ones.
	current := map[string]string{}
	for _, p := range packages {
		text, err := p.listing()
		if err != nil {
			return err
		}
		current[p.file()] = text
	}
	old, err := readListings(folder)
	if err != nil {
		return err
	}

	// The same for the page with the links to them.
	oldIndex, err := os.ReadFile(index)
	if err != nil {
		return err
	}
	currentIndex, err := withLinks(string(oldIndex), packages)
	if err != nil {
		return err
	}

	if write {
		return errors.Join(writeListings(folder, old, current), os.WriteFile(index, []byte(currentIndex), 0o644))
	}
	areListingsSame := printDifferences(old, current)
	isIndexSame := currentIndex == string(oldIndex)
	if !isIndexSame {
		fmt.Printf("the links in %s differ\n", index)
	}
	if !areListingsSame || !isIndexSame {
		return errOutOfDate
	}
	return nil
}

// readListings returns the listings in a directory and the directories below it, by their paths.
func readListings(dir string) (map[string]string, error) {
	listings := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		listings[filepath.ToSlash(name)] = string(text)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return listings, nil
	}
	return listings, err
}

// writeListings writes the current listings, and removes those of packages that are gone.
func writeListings(dir string, old, current map[string]string) error {
	for name, text := range current {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name := range old {
		if _, ok := current[name]; ok {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// printDifferences prints the lines that were removed or added, and reports whether there are none.
func printDifferences(old, current map[string]string) (same bool) {
	same = true
	for _, name := range sortedNames(old, current) {
		if old[name] == current[name] {
			continue
		}
		same = false
		removed, added := difference(strings.Split(old[name], "\n"), strings.Split(current[name], "\n"))
		for _, line := range removed {
			fmt.Printf("removed: %s: %s\n", name, line)
		}
		for _, line := range added {
			fmt.Printf("added:   %s: %s\n", name, line)
		}
		if len(removed)+len(added) == 0 {
			fmt.Printf("the order of %s differs\n", name)
		}
	}
	return same
}

func sortedNames(listings ...map[string]string) []string {
	var names []string
	for _, listing := range listings {
		for name := range listing {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// difference returns the lines that are only in old, and the lines that are only in current.
func difference(old, current []string) (removed, added []string) {
	for _, line := range old {
		if !slices.Contains(current, line) {
			removed = append(removed, line)
		}
	}
	for _, line := range current {
		if !slices.Contains(old, line) {
			added = append(added, line)
		}
	}
	return removed, added
}

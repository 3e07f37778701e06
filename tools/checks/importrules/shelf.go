package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// maxShared is the largest number of packages directly in internal that one part may import. To change a
	// part, one learns these first.
	maxShared = 15
	// maxInternal is the largest number of folders directly in internal.
	maxInternal = 30
)

// parts lists the parts of the repository that know the root, the driver and the engine by their API. Each line has
// the folders of one part. Adapters and plugins import nothing of internal.
var parts = [][]string{
	{"transfer", "layers", "lease", "commit"},
	{"uploads"},
	{"serve"},
	{"s3server"},
	{"cmd"},
}

// checkShelf returns a message for each part that imports too many packages of internal, and a message if internal
// itself has too many folders. All packages in one folder of internal count as one. Imports of tests, and of programs
// that only test, do not count.
func checkShelf(packages []pkg) (broken []string) {
	names := map[string]bool{}
	for _, p := range packages {
		if name := shelfName(inModule(p.ImportPath)); name != "" {
			names[name] = true
		}
	}

	if len(names) > maxInternal {
		broken = append(broken, fmt.Sprintf("internal has %d folders: it may have %d", len(names), maxInternal))
	}

	for _, folders := range parts {
		imported := map[string]bool{}
		for _, p := range packages {
			importer := inModule(p.ImportPath)
			if !within(importer, folders...) || !shipped(importer) {
				continue
			}
			for _, path := range p.Imports {
				if name := shelfName(inModule(path)); name != "" {
					imported[name] = true
				}
			}
		}
		if len(imported) > maxShared {
			broken = append(broken, fmt.Sprintf("%s imports %d packages of internal, and may import %d: %s",
				folders[0], len(imported), maxShared, strings.Join(slices.Sorted(maps.Keys(imported)), ", ")))
		}
	}
	return broken
}

// shelfName returns the name of the folder directly in internal that has a package, or "" for a package elsewhere.
func shelfName(path string) string {
	rest, ok := strings.CutPrefix(path, "internal/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

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

// checkInternal returns a message if internal has too many folders, and a message for each part that imports too many
// of them. Imports of tests, and of programs that only test, do not count.
func checkInternal(packages []pkg) (broken []string) {
	folders := map[string]bool{}
	for _, p := range packages {
		if name := internalFolder(inModule(p.ImportPath)); name != "" {
			folders[name] = true
		}
	}
	if len(folders) > maxInternal {
		broken = append(broken, fmt.Sprintf("internal has %d folders: it may have %d", len(folders), maxInternal))
	}

	for _, part := range parts {
		imported := importedFolders(packages, part)
		if len(imported) > maxShared {
			broken = append(broken, fmt.Sprintf("%s imports %d packages of internal, and may import %d: %s",
				part[0], len(imported), maxShared, strings.Join(imported, ", ")))
		}
	}
	return broken
}

// importedFolders returns the folders of internal that the packages of a part import, in order.
func importedFolders(packages []pkg, part []string) []string {
	imported := map[string]bool{}
	for _, p := range packages {
		importer := inModule(p.ImportPath)
		if !within(importer, part...) || !shipped(importer) {
			continue
		}
		for _, path := range p.Imports {
			if name := internalFolder(inModule(path)); name != "" {
				imported[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(imported))
}

// internalFolder returns the name of the folder directly in internal that has a package, or "" for a package elsewhere.
func internalFolder(path string) string {
	rest, ok := strings.CutPrefix(path, "internal/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

package main

import (
	"path"
	"slices"
	"strings"
)

const module = "github.com/omnibucket/storage"

// A pkg is a package that "go list" has printed.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string // direct and indirect dependencies of the code, without its tests
}

// sdks lists the modules of the cloud SDKs, which take long to compile.
var sdks = []string{
	"github.com/aws/aws-sdk-go-v2", "cloud.google.com/go/storage", "github.com/Azure/azure-sdk-for-go/sdk/storage",
}

// reachedBy returns the packages whose tests the changed files may affect. The packages that
// contain these files come first. It leaves out other packages if their tests need an SDK, which takes
// long to compile, and returns their folders as skipped.
func reachedBy(files []string, packages []pkg) (reached, skipped []string) {
	byPath := map[string]*pkg{}
	for i := range packages {
		byPath[packages[i].ImportPath] = &packages[i]
	}

	// Find the packages of the changed files.
	var changed, others []string
	for _, file := range files {
		if p := packageOf(file, byPath); p != "" && !slices.Contains(changed, p) {
			changed = append(changed, p)
		}
	}

	// Find the other packages whose tests depend on them.
	for i := range packages {
		p := &packages[i]
		if slices.Contains(changed, p.ImportPath) {
			continue
		}
		needs := tested(p, byPath)
		needsChanged := slices.ContainsFunc(changed, func(path string) bool { return needs[path] })
		if !needsChanged {
			continue
		}
		if needsSDK(needs) {
			skipped = append(skipped, strings.TrimPrefix(p.ImportPath, module+"/"))
			continue
		}
		others = append(others, p.ImportPath)
	}
	return append(changed, others...), skipped
}

// packageOf returns the package of a file, or "" if there is none. A file in a folder without Go
// files, such as testdata, belongs to the package of the nearest folder above it.
func packageOf(file string, byPath map[string]*pkg) string {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		p := path.Join(module, dir)
		if byPath[p] != nil {
			return p
		}
	}
	// Only its own Go files belong to the package in the root.
	isInRoot := path.Dir(file) == "."
	if isInRoot && strings.HasSuffix(file, ".go") && byPath[module] != nil {
		return module
	}
	return ""
}

// tested returns all packages that the tests of a package depend on.
func tested(p *pkg, byPath map[string]*pkg) map[string]bool {
	needs := map[string]bool{}
	for _, imports := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
		for _, i := range imports {
			needs[i] = true
			if imported := byPath[i]; imported != nil {
				for _, dep := range imported.Deps {
					needs[dep] = true
				}
			}
		}
	}
	return needs
}

func needsSDK(needs map[string]bool) bool {
	for dep := range needs {
		for _, sdk := range sdks {
			if dep == sdk || strings.HasPrefix(dep, sdk+"/") {
				return true
			}
		}
	}
	return false
}

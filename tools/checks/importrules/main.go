// Importrules checks which packages import which others. It prints each import that breaks a rule.
// It reads the packages of the root module, of the modules below it that other programs can import,
// and of the command line:
//
//	go run -C tools ./checks/importrules
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage/tools/checks/golist"
	"github.com/omnibucket/storage/tools/checks/repository"
)

func main() {
	var broken []string
	err := repository.Enter()
	if err == nil {
		broken, err = run()
	}
	for _, b := range broken {
		fmt.Println(b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "importrules:", err)
		os.Exit(2)
	}
	if len(broken) > 0 {
		os.Exit(1)
	}
}

// run checks the root module, the modules beside it and the command line.
func run() (broken []string, err error) {
	root, err := packagesOf(".")
	if err != nil {
		return nil, err
	}
	broken = check(root)

	modules, err := modulesBeside()
	if err != nil {
		return nil, err
	}
	for _, dir := range modules {
		packages, err := packagesOf(dir)
		if err != nil {
			return nil, err
		}
		broken = append(broken, check(packages)...)
	}

	commands, err := packagesOf("cmd/omnibucket")
	if err != nil {
		return nil, err
	}
	return append(broken, checkInternal(append(root, commands...))...), nil
}

// packagesOf returns the packages of the module in the directory dir.
func packagesOf(dir string) ([]pkg, error) {
	// "go list" does not include tests and their imports.
	return golist.Packages[pkg](dir, "ImportPath,Imports,Deps", nil, "./...")
}

// modulesBeside returns the directories of the other modules of this repository that programs import or
// start. A program may combine any version of such a module with any version of the root module.
func modulesBeside() (dirs []string, err error) {
	for _, pattern := range []string{"adapters/*/go.mod", "layers/*/go.mod", "plugins/*/go.mod"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	return dirs, nil
}

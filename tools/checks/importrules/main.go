// Importrules checks which packages import which others. It prints each import that breaks a rule.
// It reads the packages of the root module, and of the modules below it that other programs can
// import:
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
		broken, err = run(".", "./...")
	}
	if err == nil {
		var extra []string
		extra, err = runBeside()
		broken = append(broken, extra...)
	}
	for _, b := range broken {
		fmt.Println(b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "importrules:", err)
		os.Exit(2)
	} else if len(broken) > 0 {
		os.Exit(1)
	}
}

func run(dir string, patterns ...string) ([]string, error) {
	// "go list" does not include tests and their imports.
	packages, err := golist.Packages[pkg](dir, "ImportPath,Imports,Deps", nil, patterns...)
	if err != nil {
		return nil, err
	}
	return check(packages), nil
}

// runBeside checks the other modules of this repository that programs import. A program may combine
// any version of such a module with any version of the root module.
func runBeside() (broken []string, err error) {
	modules, err := filepath.Glob("adapters/*/go.mod")
	if err != nil {
		return nil, err
	}
	for _, file := range append(modules, "layers/encrypt/go.mod") {
		extra, err := run(filepath.Dir(file), "./...")
		if err != nil {
			return nil, err
		}
		broken = append(broken, extra...)
	}
	return broken, nil
}

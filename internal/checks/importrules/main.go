// Importrules checks which packages import which. It reads the packages of the
// module in the working directory and prints each import that breaks a rule:
//
//	go run ./internal/checks/importrules
package main

import (
	"fmt"
	"os"

	"github.com/omnibucket/storage/internal/checks/golist"
)

func main() {
	broken, err := run("./...")
	for _, b := range broken {
		fmt.Println(b)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "importrules:", err)
		os.Exit(2)
	case len(broken) > 0:
		os.Exit(1)
	}
}

func run(patterns ...string) ([]string, error) {
	// "go list" leaves out tests and their imports.
	packages, err := golist.Packages[pkg]("ImportPath,Imports,Deps", nil, patterns...)
	if err != nil {
		return nil, err
	}
	return check(packages), nil
}

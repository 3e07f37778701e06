// Reached prints the packages whose tests a change reaches: those with a changed file, and those whose code or tests
// import one of them, also through others. The change is what git shows since a commit, with new files:
//
//	go run ./internal/checks/reached -since HEAD
//
// A package whose tests need an SDK of a cloud is printed only if it was changed itself, because an SDK takes long to
// compile and to link. The others are named on standard error. Packages of other modules are never printed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/omnibucket/storage/internal/checks/golist"
)

func main() {
	since := flag.String("since", "HEAD", "the commit with which the working tree is compared")
	flag.Parse()
	reached, without, err := run(*since)
	if err != nil {
		fmt.Fprintln(os.Stderr, "reached:", err)
		os.Exit(1)
	}
	if len(without) > 0 {
		const why = "without those whose tests need an SDK, which make test runs:"
		fmt.Fprintln(os.Stderr, why, strings.Join(without, " "))
	}
	fmt.Println(strings.Join(reached, "\n"))
}

func run(since string) (reached, without []string, err error) {
	var files []string
	for _, args := range [][]string{
		{"diff", "--name-only", since}, {"ls-files", "--others", "--exclude-standard"},
	} {
		command := exec.Command("git", args...)
		command.Stderr = os.Stderr
		out, err := command.Output()
		if err != nil {
			return nil, nil, fmt.Errorf("git %s: %w", args[0], err)
		}
		files = append(files, strings.Fields(string(out))...)
	}
	packages, err := golist.Packages[pkg]("ImportPath,Imports,TestImports,XTestImports,Deps", nil, "./...")
	if err != nil {
		return nil, nil, err
	}
	reached, without = reachedBy(files, packages)
	return reached, without, nil
}

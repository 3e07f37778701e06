// Reached prints the packages whose tests a change may affect. These are the packages with a
// changed file, and those whose code or tests import such a package, directly or indirectly. A
// change consists of what "git diff" shows since a commit, and of new files:
//
//	go run -C tools ./checks/reached -since HEAD
//
// If the tests of a package need the SDK of a cloud, the package is printed only if it was changed
// itself, because an SDK takes long to compile and to link. The other packages of this kind are
// named on standard error. Packages of other modules are never printed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/omnibucket/storage/tools/checks/golist"
	"github.com/omnibucket/storage/tools/checks/repository"
)

func main() {
	base := flag.String("since", "HEAD", "the commit with which the working tree is compared")
	flag.Parse()
	var reached, skipped []string
	err := repository.Enter()
	if err == nil {
		reached, skipped, err = run(*base)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reached:", err)
		os.Exit(1)
	}
	if len(skipped) > 0 {
		const why = "without those whose tests need an SDK, which make test runs:"
		fmt.Fprintln(os.Stderr, why, strings.Join(skipped, " "))
	}
	fmt.Println(strings.Join(reached, "\n"))
}

// run returns the packages that the changes since a commit affect, as reachedBy does.
func run(base string) (reached, skipped []string, err error) {
	commands := [][]string{
		{"diff", "--name-only", base},                  // changed files
		{"ls-files", "--others", "--exclude-standard"}, // new files
	}
	var files []string
	for _, args := range commands {
		command := exec.Command("git", args...)
		command.Stderr = os.Stderr
		output, err := command.Output()
		if err != nil {
			return nil, nil, fmt.Errorf("git %s: %w", args[0], err)
		}
		files = append(files, strings.Fields(string(output))...)
	}

	packages, err := golist.Packages[pkg](".", "ImportPath,Imports,TestImports,XTestImports,Deps", nil, "./...")
	if err != nil {
		return nil, nil, err
	}
	reached, skipped = reachedBy(files, packages)
	return reached, skipped, nil
}

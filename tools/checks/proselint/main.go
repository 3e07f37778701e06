// Proselint checks the English of this repository against docs/maintainers/writing.md. It reads the
// Go and Markdown files that its arguments name, and prints each finding:
//
//	go run -C tools ./checks/proselint                 the whole tree
//	go run -C tools ./checks/proselint serve README.md one folder and one file
//
// It reports phrases of phrases.tsv in comments, documents, string literals and names of tests. In
// doc comments it also reports links that do not resolve, and long sentences. In all texts it
// reports citations of rules that docs/maintainers/contract.md does not define.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/omnibucket/storage/tools/checks/repository"
)

func main() {
	n := 0
	err := repository.Enter()
	if err == nil {
		n, err = run(os.Args[1:], os.Stdout)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "proselint:", err)
		os.Exit(2)
	case n > 0:
		fmt.Fprintf(os.Stderr, "proselint: %d findings; docs/maintainers/writing.md explains the rules\n", n)
		os.Exit(1)
	}
}

// run checks the paths in args, prints the findings to w, and returns their number.
func run(args []string, w io.Writer) (int, error) {
	flags := flag.NewFlagSet("proselint", flag.ContinueOnError)
	flags.SetOutput(w)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(w, "usage: proselint [FOLDER or FILE ...]   (default: the whole repository)")
	}
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	paths := flags.Args()
	if len(paths) == 0 {
		paths = []string{"."}
	}
	l, err := newLinter()
	if err != nil {
		return 0, err
	}
	if err := l.check(paths); err != nil {
		return 0, err
	}
	for _, f := range l.findings {
		_, _ = fmt.Fprintf(w, "%s:%d: %s\n", f.file, f.line, f.text)
	}
	return len(l.findings), nil
}

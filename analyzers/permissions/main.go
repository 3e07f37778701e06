// Permissions reads a Go program, and prints which operations the program does on which buckets:
//
//	permissions ./cmd/server
//	permissions -policy aws ./cmd/server
//	permissions -mermaid ./...
//	permissions -write permissions.txt ./cmd/...
//	permissions -check permissions.txt ./cmd/...
//
// It analyzes calls of package storage, and of packages that use it, in all code that the program
// can run. That code begins at main or, if no pattern matches a program, at the exported functions.
// If a bucket cannot be known from the code, it is printed as an unknown bucket, with the calls.
// Calls through cgo, plugins and go:linkname are not seen.
//
// The exit status is 1 if -check finds more than the file allows, or if -policy leaves something
// out. It is 2 after an error.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/omnibucket/storage/analyzers/permissions/internal/program"
	"github.com/omnibucket/storage/analyzers/permissions/internal/rights"
)

const (
	statusFound = 1
	statusError = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// A command has the flags of the command line.
type command struct {
	config         program.Config
	policy         policyFlags
	mermaid, json  bool
	check, write   string
	stdout, stderr io.Writer
	addresses      addresses
}

// run analyzes the packages that args name, and returns the exit status of the command.
func run(args []string, stdout, stderr io.Writer) (status int) {
	c := &command{stdout: stdout, stderr: stderr, addresses: addresses{}}
	flags := c.flags()
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return statusError
	}

	c.config.Patterns = flags.Args()
	if len(c.config.Patterns) == 0 {
		c.config.Patterns = []string{"."}
	}

	status, err = c.run()
	if err != nil {
		fmt.Fprintln(stderr, "permissions:", err)
		return statusError
	}
	return status
}

// flags returns the flags of the command, which set the fields of c.
func (c *command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("permissions", flag.ContinueOnError)
	flags.SetOutput(c.stderr)
	flags.Usage = func() {
		fmt.Fprintln(c.stderr, "usage: permissions [flags] packages")
		flags.PrintDefaults()
	}
	flags.StringVar(&c.config.Tags, "tags", "", "build `tags`, separated by commas")
	flags.StringVar(&c.config.Dir, "C", "", "`directory` of the module")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	flags.BoolVar(&c.mermaid, "mermaid", false, "print a picture of programs and buckets for Mermaid")
	flags.StringVar(&c.check, "check", "", "compare with what a `file` allows")
	flags.StringVar(&c.write, "write", "", "write the `file` that -check reads")
	flags.Var(c.addresses, "bucket", "`name=address` of an unknown bucket or a location; may be repeated")
	c.policy.add(flags)
	return flags
}

// run derives the permissions of the programs, and prints or compares them as the flags say.
func (c *command) run() (status int, err error) {
	programs, err := program.Load(c.config)
	if err != nil {
		return 0, err
	}

	var all []report
	for _, p := range programs {
		all = append(all, newReport(p.Name, rights.Derive(p), c.addresses))
	}

	switch {
	case c.check != "":
		return c.checkFile(all)
	case c.write != "":
		return 0, writeFile(c.write, all)
	case c.policy.provider != "":
		return c.printPolicies(all)
	case c.mermaid:
		printMermaid(c.stdout, all)
	case c.json:
		return 0, printJSON(c.stdout, all)
	default:
		printText(c.stdout, all)
	}
	return 0, nil
}

// An addresses is a flag that gives unknown buckets and locations an address. It maps their names
// to addresses.
type addresses map[string]string

// String implements [flag.Value]. The default of the flag is not printed.
func (a addresses) String() string { return "" }

// Set implements [flag.Value]. It adds one name=address.
func (a addresses) Set(text string) error {
	name, address, ok := strings.Cut(text, "=")
	if !ok || !strings.Contains(address, "://") {
		return errors.New("must be the name of an unknown bucket or a location, =, and an address such as s3://photos")
	}
	a[strings.TrimPrefix(name, rights.UnknownPrefix)] = address
	return nil
}

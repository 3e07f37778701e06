// Command suiteresults reads what "go test -json" prints and prints what "go test" does: a line for each package, and
// the output of those that fail. It stores each result of the conformance suite that a test logged
// (OMNIBUCKET_SUPPORT=log) in a directory, for supporttable. So results also come from tests that Go does not run
// again:
//
//	OMNIBUCKET_SUPPORT=log go test -json ./... | go run ./internal/testing/suiteresults .support
//
// Without a directory it stores nothing. With -table, it ends with a table: the stores on which the suite ran, and the
// tests that did not run, with the reason. The exit code is then 1 if a package failed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/internal/testing/suitelog"
)

func main() {
	withTable := flag.Bool("table", false, "end with a table of what ran")
	flag.Parse()
	if flag.NArg() > 1 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ... | suiteresults [-table] [DIRECTORY]")
		os.Exit(2)
	}
	ran := newTable()
	if err := run(os.Stdin, os.Stdout, flag.Arg(0), ran); err != nil {
		fmt.Fprintln(os.Stderr, "suiteresults:", err)
		os.Exit(1)
	}
	if *withTable {
		ran.print(os.Stdout)
		if ran.failed > 0 || ran.packages == 0 {
			os.Exit(1)
		}
	}
}

// An event is a line of "go test -json": go doc test2json. Output of a build has ImportPath in place of Package.
type event struct {
	Action, Package, Test, Output string
}

func run(from io.Reader, to io.Writer, dir string, ran *table) error {
	packages := map[string]*output{}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line == "" && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			e = event{Output: line} // a message of go
		}
		if e.Package == "" {
			_, _ = io.WriteString(to, e.Output)
			continue
		}
		ran.count(e)
		if packages[e.Package] == nil {
			packages[e.Package] = &output{tests: map[string]string{}}
		}
		if err := packages[e.Package].add(e, to, dir, ran); err != nil {
			return err
		}
	}
}

// An output is what a package has printed, and its tests that have not passed.
type output struct {
	own   string
	order []string // of the tests
	tests map[string]string
}

func (o *output) add(e event, to io.Writer, dir string, ran *table) error {
	switch {
	case strings.HasPrefix(e.Output, "=== "): // which go test prints with -v only
	case e.Action == "output" && e.Test == "":
		o.own += e.Output
	case e.Action == "output":
		if _, found := o.tests[e.Test]; !found {
			o.order = append(o.order, e.Test)
		}
		o.tests[e.Test] += e.Output
	case e.Test != "" && (e.Action == "pass" || e.Action == "skip"):
		text := o.tests[e.Test]
		delete(o.tests, e.Test)
		if e.Action == "skip" {
			ran.skip(text)
		}
		return eachResult(text, func(result string) error {
			var s suite
			if err := json.Unmarshal([]byte(result), &s); err != nil {
				return fmt.Errorf("a result of the suite: %w", err)
			}
			ran.suites = append(ran.suites, s)
			return s.store(result, dir)
		})
	case e.Test == "" && e.Action == "fail":
		for _, test := range o.order {
			_, _ = io.WriteString(to, o.tests[test])
		}
		_, _ = io.WriteString(to, o.own)
	case e.Test == "" && (e.Action == "pass" || e.Action == "skip"):
		_, _ = io.WriteString(to, summary(o.own))
	}
	return nil
}

// summary returns the line of a package that has passed.
func summary(output string) string {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
			return line
		}
	}
	return ""
}

// eachResult calls do with each result of the suite in the output of a test.
func eachResult(text string, do func(result string) error) error {
	for {
		_, after, found := strings.Cut(text, suitelog.Mark)
		if !found {
			return nil
		}
		result, rest, _ := strings.Cut(after, "\n")
		if err := do(result); err != nil {
			return err
		}
		text = rest
	}
}

// store stores the text of a result.
func (s *suite) store(result, dir string) error {
	if dir == "" {
		return nil
	}
	name := strings.ReplaceAll(s.Name+"-"+s.Kind, string(filepath.Separator), "-")
	return os.WriteFile(filepath.Join(dir, name+".json"), []byte(result), 0o644)
}

// Command suiteresults reads the output of "go test -json", and prints what "go test" would print:
// one line for each package, and the output of packages that failed.
//
// Tests may log results of the conformance suite (OMNIBUCKET_SUPPORT=log). Command suiteresults
// stores these results in a directory, where program supporttable reads them. If Go does not repeat
// a test, the results come from the cached output of the test:
//
//	OMNIBUCKET_SUPPORT=log go test -json ./... | go run ./internal/testing/suiteresults .support
//
// It prints a package when its tests end, and "go test" would wait for all packages before it.
//
// Without a directory, it stores nothing. With -table, it also prints on which stores the suite
// ran, and which tests did not run for which reason. The exit code is 1 if a package failed, or
// if there was none; with -table, also if no package has tests.
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

// main prints the results of "go test -json" and exits with status 1 if a package failed or none
// ran.
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
	}

	if ran.failed > 0 {
		os.Exit(1)
	}
	if ran.packages > 0 {
		return
	}

	// No package ran tests. That is an error, unless the run was of a few packages that a change concerns, all
	// of which lack tests. Such a run has no table.
	onlyUntested := !*withTable && ran.untested > 0
	if !onlyUntested {
		os.Exit(1)
	}
}

// An event is one line of "go test -json". "go doc test2json" describes the format. In the output
// of a build, the line has ImportPath in place of Package.
type event struct {
	Action, Package, Test, Output string
}

// run reads the output of "go test -json" from r, prints it to w, stores results of the suite in
// dir, and counts in ran what ran.
func run(r io.Reader, w io.Writer, dir string, ran *table) error {
	packages := map[string]*output{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		// The output has ended.
		if line == "" {
			return nil
		}

		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			e = event{Output: line} // not JSON, so the line is a message of the go command
		}
		if e.Package == "" {
			_, _ = io.WriteString(w, e.Output)
			continue
		}

		ran.count(e)
		if packages[e.Package] == nil {
			packages[e.Package] = &output{tests: map[string]string{}}
		}
		if err := packages[e.Package].add(e, w, dir, ran); err != nil {
			return err
		}
	}
}

// An output holds the text that a package has printed so far. tests holds the text of each test
// that has not passed.
type output struct {
	own   string
	order []string // names of the tests in the order in which they printed
	tests map[string]string
}

// add handles an event of a package. It keeps the text that a test has printed until the test passes. At
// the end of the package, it prints what "go test" would print.
func (o *output) add(e event, w io.Writer, dir string, ran *table) error {
	if strings.HasPrefix(e.Output, "=== ") {
		// go test prints these lines only with -v.
		return nil
	}
	if e.Test == "" {
		o.addPackage(e, w)
		return nil
	}

	switch e.Action {
	case "output":
		if _, ok := o.tests[e.Test]; !ok {
			o.order = append(o.order, e.Test)
		}
		o.tests[e.Test] += e.Output
	case "skip":
		ran.skip(o.tests[e.Test])
		return o.endTest(e.Test, dir, ran)
	case "pass":
		return o.endTest(e.Test, dir, ran)
	}

	// The text of a test that fails is printed at the end of the package.
	return nil
}

// addPackage records the text of a package, and prints what "go test" would print at its end.
func (o *output) addPackage(e event, w io.Writer) {
	switch e.Action {
	case "output":
		o.own += e.Output
	case "pass", "skip":
		_, _ = io.WriteString(w, summary(o.own))
	case "fail":
		for _, test := range o.order {
			_, _ = io.WriteString(w, o.tests[test])
		}
		_, _ = io.WriteString(w, o.own)
	}
}

// endTest stores the results in the text of a test that did not fail, and forgets that text.
func (o *output) endTest(test, dir string, ran *table) error {
	text := o.tests[test]
	delete(o.tests, test)
	for _, result := range resultsIn(text) {
		var s suite
		if err := json.Unmarshal([]byte(result), &s); err != nil {
			return fmt.Errorf("a result of the suite: %w", err)
		}
		isRecording := s.Provider != ""
		if !isRecording {
			ran.suites = append(ran.suites, s)
		}
		if err := s.store(result, dir); err != nil {
			return err
		}
	}
	return nil
}

// summary returns the line that "go test" prints for a package that passed, from all output of the
// package.
func summary(output string) string {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
			return line
		}
	}
	return ""
}

// resultsIn returns the results of the conformance suite in the output of a test. Each follows a mark, and
// ends with the line.
func resultsIn(output string) []string {
	var results []string
	for {
		_, tail, ok := strings.Cut(output, suitelog.Mark)
		if !ok {
			return results
		}
		result, rest, _ := strings.Cut(tail, "\n")
		results = append(results, result)
		output = rest
	}
}

// store writes a result to a file in dir, unless dir is "". The file of a recording has its kind as
// a prefix, by which program supporttable finds it.
func (s *suite) store(result, dir string) error {
	if dir == "" {
		return nil
	}
	name := s.Name + "-" + s.Kind
	if s.Provider != "" {
		name = s.Kind + "-" + s.Name + "-" + s.Provider
	}
	name = strings.ReplaceAll(name, string(filepath.Separator), "-")
	return os.WriteFile(filepath.Join(dir, name+".json"), []byte(result), 0o644)
}

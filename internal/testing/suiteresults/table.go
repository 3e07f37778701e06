package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A table counts the packages and tests that ran, and the tests that were skipped.
type table struct {
	packages, tests, failed int
	untested                int // number of packages without tests
	suites                  []suite
	skipped                 map[string]int // number of skipped tests for each reason
}

// A suite is the result of one run of the conformance suite.
type suite struct {
	Name, Kind string
	Provider   string // of a recording, or of requests that were recorded; "" for a run of the suite
	Passed     int
	Without    map[string]string // reasons for cases that were left out, by the name of the case
}

func newTable() *table { return &table{skipped: map[string]int{}} }

// count adds an event to the counts of packages and tests. Subtests do not count.
func (t *table) count(e event) {
	if e.Test != "" {
		isSubtest := strings.Contains(e.Test, "/")
		if e.Action == "pass" && !isSubtest {
			t.tests++
		}
		return
	}

	switch e.Action {
	case "fail":
		t.failed++
		t.packages++
	case "pass":
		t.packages++
	case "skip":
		t.untested++
	}
}

// reasonLine matches the output line with the reason of a skipped test.
var reasonLine = regexp.MustCompile(`(?m)^ +\S+\.go:\d+: (.*)$`)

// skip counts a skipped test by the reason that it has printed.
func (t *table) skip(output string) {
	reason := "no reason"
	if lines := reasonLine.FindAllStringSubmatch(output, -1); lines != nil {
		reason = lines[len(lines)-1][1]
	}
	reason, _, _ = strings.Cut(reason, ", as does:") // the rest names a command that runs only this test
	t.skipped[reason]++
}

// print prints the table. The caller cannot do anything about an error of w.
func (t *table) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\n%d tests passed in %d packages; %d packages failed\n", t.tests, t.packages-t.failed, t.failed)
	t.printSuites(w)
	t.printSkipped(w)
}

// printSuites prints on which stores the conformance suite ran, and why cases were left out.
func (t *table) printSuites(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\nthe conformance suite ran on           cases passed   left out\n")
	slices.SortFunc(t.suites, func(a, b suite) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})

	reasons := map[string]int{}
	for _, s := range t.suites {
		_, _ = fmt.Fprintf(w, "  %-36s %12d %10d\n", s.Name+", as a "+s.Kind, s.Passed, len(s.Without))
		for _, reason := range s.Without {
			reasons[reason]++
		}
	}
	printReasons(w, "cases left out, because", reasons)
}

// printSkipped prints how many tests were skipped for each reason. Tests that another command runs,
// such as "make test-all", come first.
func (t *table) printSkipped(w io.Writer) {
	elsewhere := map[string]int{}
	local := map[string]int{}
	for reason, count := range t.skipped {
		namesCommand := strings.Contains(reason, "make ")
		if namesCommand {
			elsewhere[reason] = count
		} else {
			local[reason] = count
		}
	}
	printReasons(w, "tests and rows that another command runs, because", elsewhere)
	printReasons(w, "tests and rows that did not run, because", local)
}

// printReasons prints how often each reason occurred, beginning with the most frequent.
func printReasons(w io.Writer, title string, reasons map[string]int) {
	if len(reasons) == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "\n%s\n", title)
	byNumber := func(a, b string) int { return cmp.Or(reasons[b]-reasons[a], cmp.Compare(a, b)) }
	for _, reason := range slices.SortedFunc(maps.Keys(reasons), byNumber) {
		_, _ = fmt.Fprintf(w, "%6d  %s\n", reasons[reason], reason)
	}
}

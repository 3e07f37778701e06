package main

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

type status string

const (
	passed  status = "passed"
	failed  status = "failed"
	skipped status = "skipped"
)

// A result is that of one test. The reason is the first line of what it says.
type result struct {
	test   string
	status status
	reason string
}

// merge returns one result for each test, in their order by name. A test that reports
// several results failed if one of them failed.
func merge(results []result) []result {
	worst := map[status]int{skipped: 0, passed: 1, failed: 2}
	slices.SortStableFunc(results, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.test, b.test), worst[b.status]-worst[a.status])
	})
	return slices.CompactFunc(results, func(a, b result) bool { return a.test == b.test })
}

// A counts has the numbers of tests of one suite on one server.
type counts struct{ passed, failed, skipped int }

func count(results []result) counts {
	var c counts
	for _, r := range results {
		switch r.status {
		case passed:
			c.passed++
		case failed:
			c.failed++
		case skipped:
			c.skipped++
		}
	}
	return c
}

func (c counts) String() string { return fmt.Sprintf("%d / %d / %d", c.passed, c.failed, c.skipped) }

func writeResults(path string, results []result) error {
	var lines strings.Builder
	for _, r := range results {
		fmt.Fprintf(&lines, "%s\t%s\t%s\n", r.status, r.test, r.reason)
	}
	return os.WriteFile(path, []byte(lines.String()), 0o644)
}

// oneLine returns the text as one line of limited length.
func oneLine(text string) string {
	const longest = 300
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// A table has a row for each suite and a column for each server.
type table struct {
	servers []string
	rows    []string
	cells   map[[2]string]counts
}

func newTable(servers []string) *table {
	return &table{servers: servers, cells: map[[2]string]counts{}}
}

func (t *table) add(suite, server string, results []result) {
	if !slices.Contains(t.rows, suite) {
		t.rows = append(t.rows, suite)
	}
	t.cells[[2]string{suite, server}] = count(results)
}

// String returns the table in Markdown.
func (t *table) String() string {
	var b strings.Builder
	b.WriteString("Passed / failed / skipped:\n\n| suite |")
	for _, server := range t.servers {
		fmt.Fprintf(&b, " %s |", server)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(t.servers)) + "\n")
	for _, suite := range t.rows {
		fmt.Fprintf(&b, "| %s |", suite)
		for _, server := range t.servers {
			fmt.Fprintf(&b, " %s |", t.cells[[2]string{suite, server}])
		}
		b.WriteString("\n")
	}
	return b.String() + "\n"
}

//go:embed exceptions
var exceptions embed.FS

// readExceptions returns the tests of a suite that fail on our server, with the reason.
// A line has the name of the test, a tab, and the reason. A reason that begins with
// "Sometimes" also lets the test pass.
func readExceptions(suite string) (map[string]string, error) {
	content, err := exceptions.ReadFile("exceptions/" + suite + ".tsv")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		test, reason, found := strings.Cut(line, "\t")
		if !found {
			return nil, fmt.Errorf("exceptions/%s.tsv: no reason for %s", suite, test)
		}
		reasons[test] = reason
	}
	return reasons, nil
}

// compare returns an error if other tests failed than the exceptions of the suite say.
func compare(suite string, results []result) error {
	reasons, err := readExceptions(suite)
	if err != nil {
		return err
	}
	var wrong []error
	for _, r := range results {
		reason, excepted := reasons[r.test]
		switch {
		case r.status == failed && !excepted:
			wrong = append(wrong, fmt.Errorf("%s: %s failed: %s", suite, r.test, r.reason))
		case r.status == passed && excepted && !strings.HasPrefix(reason, "Sometimes"):
			wrong = append(wrong, fmt.Errorf("%s: %s passed: remove it from exceptions/%s.tsv", suite, r.test, suite))
		}
	}
	return errors.Join(wrong...)
}

// compareBeside returns an error if tests that pass on one server fail on another one, unless
// exceptions/layers.tsv has the reason under the suite and the test, or the suite's own exceptions say
// "Sometimes".
func compareBeside(suite string, s server, there, here []result) error {
	reasons, err := readExceptions("layers")
	if err != nil {
		return err
	}
	ours, err := readExceptions(suite)
	if err != nil {
		return err
	}
	passes := map[string]bool{}
	for _, r := range there {
		passes[r.test] = r.status == passed
	}
	var wrong []error
	for _, r := range here {
		unreliable := strings.HasPrefix(ours[r.test], "Sometimes")
		if r.status == failed && passes[r.test] && !unreliable && reasons[suite+"/"+r.test] == "" {
			wrong = append(wrong, fmt.Errorf("%s: %s failed on %s, and not on %s: %s", suite, r.test, s.name, s.like, r.reason))
		}
	}
	return errors.Join(wrong...)
}

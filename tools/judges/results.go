package main

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

type status string

const (
	passed  status = "passed"
	failed  status = "failed"
	skipped status = "skipped"
)

// A result is the outcome of one test. If the test failed or was skipped, reason is the first line
// of its message.
type result struct {
	test   string
	status status
	reason string
}

// merge combines the results of the same test, and sorts the tests by name. If a test has several
// results, a failure counts most.
func merge(results []result) []result {
	worst := map[status]int{skipped: 0, passed: 1, failed: 2}
	slices.SortStableFunc(results, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.test, b.test), worst[b.status]-worst[a.status])
	})
	return slices.CompactFunc(results, func(a, b result) bool { return a.test == b.test })
}

// A counts holds the numbers of tests of one suite on one server, by outcome.
type counts struct{ passed, failed, skipped int }

// count returns how many tests passed, failed and were skipped.
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

// String returns the number of passed tests. If tests failed or were skipped, their numbers follow.
func (c counts) String() string {
	text := strconv.Itoa(c.passed)
	if c.failed > 0 {
		text += fmt.Sprintf(", %d failed", c.failed)
	}
	if c.skipped > 0 {
		text += fmt.Sprintf(", %d skipped", c.skipped)
	}
	return text
}

func writeResults(path string, results []result) error {
	var lines strings.Builder
	for _, r := range results {
		fmt.Fprintf(&lines, "%s\t%s\t%s\n", r.status, r.test, r.reason)
	}
	return os.WriteFile(path, []byte(lines.String()), 0o644)
}

// oneLine returns text as a single line, and cuts it if it is too long.
func oneLine(text string) string {
	const longest = 300
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// A cellKey names a cell in the table of results.
type cellKey struct{ suite, server string }

// A cells holds the texts of a table of results.
type cells map[cellKey]string

// readCells reads the results that runs of this program have written to a directory. Each suite has
// a folder in that directory, with a folder for each server.
func readCells(dir string) (cells, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "results.tsv"))
	if err != nil {
		return nil, err
	}
	all := cells{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var results []result
		for line := range strings.Lines(string(content)) {
			// The name of the test and the reason follow, but only the status is counted.
			first, _, _ := strings.Cut(line, "\t")
			results = append(results, result{status: status(first)})
		}

		serverDir := filepath.Dir(file)
		suiteDir := filepath.Dir(serverDir)
		key := cellKey{suite: filepath.Base(suiteDir), server: filepath.Base(serverDir)}
		all[key] = count(results).String()
	}
	return all, nil
}

// unmeasured is the text of a cell without results.
const unmeasured = "–"

// A server name in a cellKey ends with httpSuffix or httpsSuffix if the flag -schemes was given.
//
// In the table, a column with bothSuffix shows the results over http and over https. Equal results are
// shown once, such as "13". Different results are shown as "13; https 12, 1 failed".
const (
	httpSuffix  = " http"
	httpsSuffix = " https"
	bothSuffix  = " (http, https)"
)

// parseCells reads the results in a Markdown table. It leaves out suites that no longer exist.
func parseCells(table string) cells {
	parsed := cells{}
	var header []string
	for line := range strings.Lines(table) {
		texts := strings.Split(strings.Trim(line, "| \n"), " | ")
		suite := strings.Trim(texts[0], "`")
		if suite == "suite" {
			header = texts
			continue
		}

		isResultLine := len(texts) == len(header) && slices.Contains(names(suites), suite)
		if !isResultLine {
			continue
		}
		for i, text := range texts[1:] {
			parsed.parse(suite, header[i+1], text)
		}
	}
	return parsed
}

// parse adds the results in the text of one cell of a table, which cells.text has made.
func (c cells) parse(suite, column, text string) {
	if server, hasBoth := strings.CutSuffix(column, bothSuffix); hasBoth {
		// Equal results over both schemes are in the text only once.
		first, second, differ := strings.Cut(text, ";"+httpsSuffix+" ")
		if !differ {
			second = first
		}
		c.add(suite, server+httpSuffix, first)
		c.add(suite, server+httpsSuffix, second)
		return
	}

	// Another text in parentheses marks a column without results of this program.
	if !strings.Contains(column, " (") {
		c.add(suite, column, text)
	}
}

// add adds the text of a cell, unless the suite has no result on the server.
func (c cells) add(suite, server, text string) {
	if text != unmeasured {
		c[cellKey{suite, server}] = text
	}
}

// table returns a Markdown table with a row for each suite and a column for each server.
func (c cells) table() string {
	rows := map[string]bool{}
	columns := map[string]bool{}
	for key := range c {
		rows[key.suite] = true
		columns[key.server] = true
	}
	headings := columnHeadings(columns)

	var b strings.Builder
	fmt.Fprintf(&b, "| suite | %s |\n|---|%s\n", strings.Join(headings, " | "), strings.Repeat("---|", len(headings)))
	for _, row := range inOrder(rows, names(suites)) {
		fmt.Fprintf(&b, "| `%s` |", row)
		for _, heading := range headings {
			fmt.Fprintf(&b, " %s |", c.text(row, heading))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// columnHeadings returns the headings of the columns for servers, in their order. The results of a
// server over http and over https share one heading.
func columnHeadings(columns map[string]bool) []string {
	var headings []string
	for _, column := range inOrder(columns, names(servers)) {
		name, isHTTPS := strings.CutSuffix(column, httpsSuffix)
		if isHTTPS && columns[name+httpSuffix] {
			// The heading of the server's column for http covers this column.
			continue
		}
		name = strings.TrimSuffix(column, httpSuffix)
		if columns[name+httpsSuffix] {
			headings = append(headings, name+bothSuffix)
			continue
		}
		headings = append(headings, column)
	}
	return headings
}

// inOrder returns the titles of rows or columns in the order of the names with which they begin.
func inOrder(titles map[string]bool, names []string) []string {
	rank := func(title string) int {
		name, _, _ := strings.Cut(title, " ")
		return slices.Index(names, name)
	}
	return slices.SortedFunc(maps.Keys(titles), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

// text returns the text of the cell in the table at a row and a column. If the column shows results
// over both schemes, the text has the result over HTTP, and that over HTTPS only if it differs.
func (c cells) text(row, column string) string {
	server, hasBoth := strings.CutSuffix(column, bothSuffix)
	if !hasBoth {
		return c.result(row, column)
	}

	first := c.result(row, server+httpSuffix)
	second := c.result(row, server+httpsSuffix)
	if first == second {
		return first
	}
	return first + ";" + httpsSuffix + " " + second
}

// result returns the result of a suite on a server, or unmeasured if there is none.
func (c cells) result(suite, server string) string {
	return cmp.Or(c[cellKey{suite, server}], unmeasured)
}

// writeTable writes the measured results to the table in a Markdown page. Results in the page that
// were not measured again stay.
func writeTable(page string, measured cells) error {
	const begin, end = "<!-- make clients -->\n", "<!-- end of make clients -->"
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}

	before, rest, hasBegin := strings.Cut(string(content), begin)
	old, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		return fmt.Errorf("%s has no place for the table", page)
	}

	all := parseCells(old)
	maps.Copy(all, measured)
	return os.WriteFile(page, []byte(before+begin+"\n"+all.table()+"\n"+end+after), 0o644)
}

//go:embed exceptions
var exceptions embed.FS

// readExceptions returns the reasons why tests of a suite fail on our server, by the name of the
// test. Each line of the file has the name, a tab, and the reason. If the reason begins with
// "Sometimes", the test may also pass.
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
		test, reason, ok := strings.Cut(line, "\t")
		if !ok {
			return nil, fmt.Errorf("exceptions/%s.tsv: no reason for %s", suite, test)
		}
		reasons[test] = reason
	}
	return reasons, nil
}

// checkResults compares the results of a suite on our server with the listed exceptions. It returns an
// error for each test that failed without a listed reason, and for each that passed despite one. If a
// reason begins with "Sometimes", the test may do either.
func checkResults(s suite, srv server, results []result) error {
	suiteReasons, err := readExceptions(s.name)
	if err != nil {
		return err
	}
	versionReasons, err := readExceptions(s.title())
	if err != nil {
		return err
	}
	serverReasons, err := readExceptions(srv.name)
	if err != nil {
		return err
	}

	var errs []error
	for _, r := range results {
		// The exceptions of a server cover all suites, so a test has the name of its suite there.
		reason := cmp.Or(serverReasons[s.name+"/"+r.test], versionReasons[r.test], suiteReasons[r.test])
		mustFail := reason != "" && !mayPass(reason)

		if r.status == failed && reason == "" {
			errs = append(errs, fmt.Errorf("%s on %s: %s failed: %s", s.title(), srv.name, r.test, r.reason))
		}
		if r.status == passed && mustFail {
			errs = append(errs, fmt.Errorf("%s on %s: %s passed: remove it from exceptions", s.title(), srv.name, r.test))
		}
	}
	return errors.Join(errs...)
}

// mayPass reports whether a test passes in some runs, although it has this reason to fail.
func mayPass(reason string) bool { return strings.HasPrefix(reason, "Sometimes") }

// checkLayers returns an error for each test of a suite that passes without layers and fails with
// layers. direct has the results without layers, and layered the results with layers. The
// difference is permitted if exceptions/layers.tsv lists the test. It is also permitted if the
// suite's own file of exceptions lists the test with a reason that begins with "Sometimes".
func checkLayers(suite string, s server, direct, layered []result) error {
	layerReasons, err := readExceptions("layers")
	if err != nil {
		return err
	}
	suiteReasons, err := readExceptions(suite)
	if err != nil {
		return err
	}

	passesDirectly := map[string]bool{}
	for _, r := range direct {
		passesDirectly[r.test] = r.status == passed
	}

	var errs []error
	for _, r := range layered {
		failsOnlyLayered := r.status == failed && passesDirectly[r.test]
		isPermitted := layerReasons[suite+"/"+r.test] != "" || mayPass(suiteReasons[r.test])
		if failsOnlyLayered && !isPermitted {
			errs = append(errs, fmt.Errorf("%s: %s failed on %s, and not on %s: %s", suite, r.test, s.name, s.like, r.reason))
		}
	}
	return errors.Join(errs...)
}

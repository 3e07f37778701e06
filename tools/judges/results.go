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

// A cells holds the texts of a table of results. The keys are pairs of a suite and a server.
type cells map[[2]string]string

// readCells reads the results that runs of this program have written to a directory. Each suite has
// a folder in that directory, with a folder for each server.
func readCells(dir string) (cells, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "results.tsv"))
	if err != nil {
		return nil, err
	}
	read := cells{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var results []result
		for line := range strings.Lines(string(content)) {
			first, _, _ := strings.Cut(line, "\t") // only the status matters here
			results = append(results, result{status: status(first)})
		}

		serverDir := filepath.Dir(file)
		suite := filepath.Base(filepath.Dir(serverDir))
		server := filepath.Base(serverDir)
		read[[2]string{suite, server}] = count(results).String()
	}
	return read, nil
}

// unmeasured is the text of a cell without results.
const unmeasured = "–"

// The constants plain and secure are suffixes of the server names in the keys of a cells map. The
// names have a suffix only if the flag -schemes was given.
//
// In the table, one cell shows the results over http and over https. Equal results are shown once,
// such as "13". Different results are shown as "13; https 12, 1 failed".
const plain, secure = " http", " https"

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
	server, schemes, hasSchemes := strings.Cut(column, " (")
	if !hasSchemes {
		if text != unmeasured {
			c[[2]string{suite, column}] = text
		}
		return
	}
	if schemes != bothSchemes {
		return // the column has no results of this program
	}

	// Equal results over both schemes are in the text only once.
	first, second, differ := strings.Cut(text, ";"+secure+" ")
	if !differ {
		second = first
	}
	if first != unmeasured {
		c[[2]string{suite, server + plain}] = first
	}
	if second != unmeasured {
		c[[2]string{suite, server + secure}] = second
	}
}

// bothSchemes is the end of a column's heading, if the column shows results over both schemes.
const bothSchemes = "http, https)"

// table returns a Markdown table with a row for each suite and a column for each server.
func (c cells) table() string {
	rows := map[string]bool{}
	columns := map[string]bool{}
	for place := range c {
		rows[place[0]] = true
		columns[place[1]] = true
	}

	var header []string
	for _, column := range inOrder(columns, names(servers)) {
		server, isSecure := strings.CutSuffix(column, secure)
		if isSecure && columns[server+plain] {
			// The server's column for http also shows these results.
			continue
		}
		plainServer := strings.TrimSuffix(column, plain)
		if columns[plainServer+secure] {
			header = append(header, plainServer+" ("+bothSchemes)
			continue
		}
		header = append(header, column)
	}

	var b strings.Builder
	b.WriteString("| suite | " + strings.Join(header, " | ") + " |\n|---|" + strings.Repeat("---|", len(header)) + "\n")
	for _, row := range inOrder(rows, names(suites)) {
		fmt.Fprintf(&b, "| `%s` |", row)
		for _, column := range header {
			fmt.Fprintf(&b, " %s |", c.text(row, column))
		}
		b.WriteString("\n")
	}
	return b.String()
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
	result := func(column string) string { return cmp.Or(c[[2]string{row, column}], unmeasured) }
	server, _, hasBoth := strings.Cut(column, " (") // bothSchemes follows the parenthesis
	if !hasBoth {
		return result(column)
	}

	first := result(server + plain)
	second := result(server + secure)
	if first == second {
		return first
	}
	return first + ";" + secure + " " + second
}

// writeTable writes the measured results to the table in a Markdown page. Results in the page that
// were not measured again stay.
func writeTable(page string, measured cells) error {
	const begin, end = "<!-- make clients -->\n", "<!-- end of make clients -->"
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(content), begin)
	old, after, hasEnd := strings.Cut(rest, end)
	if !ok || !hasEnd {
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

// compare returns an error if a test without a listed reason failed, or if a test with a listed
// reason passed. A reason that begins with "Sometimes" permits both. The reasons are in the
// exceptions of the suite, of its version and of the server. In the exceptions of the server, the
// name of a test begins with the name of the suite.
func compare(s suite, srv server, results []result) error {
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

	var wrong []error
	for _, r := range results {
		reason := cmp.Or(serverReasons[s.name+"/"+r.test], versionReasons[r.test], suiteReasons[r.test])
		if r.status == failed && reason == "" {
			wrong = append(wrong, fmt.Errorf("%s on %s: %s failed: %s", s.title(), srv.name, r.test, r.reason))
		} else if r.status == passed && reason != "" && !strings.HasPrefix(reason, "Sometimes") {
			wrong = append(wrong, fmt.Errorf("%s on %s: %s passed: remove it from exceptions", s.title(), srv.name, r.test))
		}
	}
	return errors.Join(wrong...)
}

// compareLayers returns an error for each test of a suite that passes without layers and fails with
// layers. direct has the results without layers, and layered the results with layers. The
// difference is permitted if exceptions/layers.tsv lists the test. It is also permitted if the
// suite's own file of exceptions lists the test with a reason that begins with "Sometimes".
func compareLayers(suite string, s server, direct, layered []result) error {
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

	var wrong []error
	for _, r := range layered {
		if r.status != failed || !passesDirectly[r.test] {
			continue
		}
		isUnreliable := strings.HasPrefix(suiteReasons[r.test], "Sometimes")
		if !isUnreliable && layerReasons[suite+"/"+r.test] == "" {
			wrong = append(wrong, fmt.Errorf("%s: %s failed on %s, and not on %s: %s", suite, r.test, s.name, s.like, r.reason))
		}
	}
	return errors.Join(wrong...)
}

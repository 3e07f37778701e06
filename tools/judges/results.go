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

// String returns how many tests passed and, if there are any, how many failed and were skipped.
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

// oneLine returns the text as one line of limited length.
func oneLine(text string) string {
	const longest = 300
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// cells are the texts of a table of results, by suite and server.
type cells map[[2]string]string

// readCells returns the results in a directory.
func readCells(out string) (cells, error) {
	files, err := filepath.Glob(filepath.Join(out, "*", "*", "results.tsv"))
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
			first, _, _ := strings.Cut(line, "\t")
			results = append(results, result{status: status(first)})
		}
		server := filepath.Dir(file)
		read[[2]string{filepath.Base(filepath.Dir(server)), filepath.Base(server)}] = count(results).String()
	}
	return read, nil
}

// unmeasured is the text of a cell without results.
const unmeasured = "–"

// A cell of a server that was judged over both schemes has "13" if the results are the same, else "13; https 12, 1
// failed".
const plain, secure = " http", " https"

// parseCells returns the results in a table that was drawn, of the suites that there are.
func parseCells(table string) cells {
	parsed := cells{}
	var header []string
	for line := range strings.Lines(table) {
		texts := strings.Split(strings.Trim(line, "| \n"), " | ")
		suite := strings.Trim(texts[0], "`")
		switch {
		case suite == "suite":
			header = texts
		case len(texts) == len(header) && slices.Contains(names(suites), suite):
			for i, text := range texts[1:] {
				parsed.parse(suite, header[i+1], text)
			}
		}
	}
	return parsed
}

// parse adds the results of a cell.
func (c cells) parse(suite, column, text string) {
	server, schemes, both := strings.Cut(column, " (")
	if !both {
		if text != unmeasured {
			c[[2]string{suite, column}] = text
		}
		return
	}
	if schemes != bothSchemes {
		return
	}
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

// bothSchemes ends the head of a column that has the results over both schemes.
const bothSchemes = "http, https)"

// table draws a table in Markdown, with a row for each suite and a column for each server.
func (c cells) table() string {
	rows, columns := map[string]bool{}, map[string]bool{}
	for place := range c {
		rows[place[0]], columns[place[1]] = true, true
	}
	ordered := func(of map[string]bool, known []string) []string {
		return slices.SortedFunc(maps.Keys(of), func(a, b string) int {
			name := func(s string) string { before, _, _ := strings.Cut(s, " "); return before }
			return cmp.Or(cmp.Compare(slices.Index(known, name(a)), slices.Index(known, name(b))), cmp.Compare(a, b))
		})
	}
	var header []string
	for _, column := range ordered(columns, names(servers)) {
		server, isSecure := strings.CutSuffix(column, secure)
		switch {
		case isSecure && columns[server+plain]: // it is in the column before
		case columns[strings.TrimSuffix(column, plain)+secure]:
			header = append(header, strings.TrimSuffix(column, plain)+" ("+bothSchemes)
		default:
			header = append(header, column)
		}
	}
	var b strings.Builder
	b.WriteString("| suite | " + strings.Join(header, " | ") + " |\n|---|" + strings.Repeat("---|", len(header)) + "\n")
	for _, row := range ordered(rows, names(suites)) {
		fmt.Fprintf(&b, "| `%s` |", row)
		for _, column := range header {
			fmt.Fprintf(&b, " %s |", c.text(row, column))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// text returns the text of a cell.
func (c cells) text(row, column string) string {
	result := func(column string) string { return cmp.Or(c[[2]string{row, column}], unmeasured) }
	server, _, both := strings.Cut(column, " (")
	if !both {
		return result(column)
	}
	first, second := result(server+plain), result(server+secure)
	if first == second {
		return first
	}
	return first + ";" + secure + " " + second
}

// writeTable writes results into the table of a page, which keeps those that were not measured again.
func writeTable(page string, measured cells) error {
	const begin, end = "<!-- make clients -->\n", "<!-- end of make clients -->"
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(content), begin)
	old, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table", page)
	}
	all := parseCells(old)
	maps.Copy(all, measured)
	return os.WriteFile(page, []byte(before+begin+"\n"+all.table()+"\n"+end+after), 0o644)
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

// compare returns an error if other tests failed than the exceptions of the suite, of its version and of
// our server say. Those of the server have the suite before the test.
func compare(s suite, on server, results []result) error {
	reasons, err := readExceptions(s.name)
	if err != nil {
		return err
	}
	further, err := readExceptions(s.title())
	if err != nil {
		return err
	}
	ofServer, err := readExceptions(on.name)
	if err != nil {
		return err
	}
	var wrong []error
	for _, r := range results {
		reason := cmp.Or(ofServer[s.name+"/"+r.test], further[r.test], reasons[r.test])
		switch {
		case r.status == failed && reason == "":
			wrong = append(wrong, fmt.Errorf("%s on %s: %s failed: %s", s.title(), on.name, r.test, r.reason))
		case r.status == passed && reason != "" && !strings.HasPrefix(reason, "Sometimes"):
			wrong = append(wrong, fmt.Errorf("%s on %s: %s passed: remove it from exceptions", s.title(), on.name, r.test))
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

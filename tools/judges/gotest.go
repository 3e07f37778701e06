package main

import (
	"bufio"
	"bytes"
	"regexp"
	"strings"
)

// testLine matches a line with the result of a test or subtest, in the output of -test.v.
var testLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)

// fileLine matches the first line of a message that a test has logged.
var fileLine = regexp.MustCompile(`^\s+\w+\.go:\d+: `)

// readGoTests reads the results in the output of a Go test. It leaves out a test with subtests,
// unless the test itself has failed. The reason of a failure is the first line that the test has
// logged.
func readGoTests(output []byte) []result {
	statuses := map[string]status{"PASS": passed, "FAIL": failed, "SKIP": skipped}
	var results []result
	parents := map[string]bool{}
	said := map[string]string{}
	current := ""
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if match := testLine.FindStringSubmatch(line); match != nil {
			status, name := match[1], match[2]
			current = name
			results = append(results, result{test: name, status: statuses[status], reason: said[name]})
			for i, letter := range name {
				if letter == '/' {
					parents[name[:i]] = true
				}
			}
			continue
		}
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "=== "); ok {
			if fields := strings.Fields(name); len(fields) == 2 {
				current = fields[1]
			}
			continue
		}
		if said[current] == "" && fileLine.MatchString(line) {
			said[current] = oneLine(line)
		}
	}

	var innermost []result
	for _, r := range results {
		if parents[r.test] {
			failedItself := r.status == failed && !failedBelow(results, r.test)
			if !failedItself {
				continue
			}
		}
		if r.status == failed && r.reason == "" {
			r.reason = said[r.test]
		}
		innermost = append(innermost, r)
	}
	return innermost
}

// failedBelow reports whether a subtest of test has failed.
func failedBelow(results []result, test string) bool {
	for _, r := range results {
		if r.status == failed && strings.HasPrefix(r.test, test+"/") {
			return true
		}
	}
	return false
}

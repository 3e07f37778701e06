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

	// The order of the results is that of their lines.
	var results []result
	parents := map[string]bool{}      // tests with subtests
	firstLines := map[string]string{} // first logged line of each test
	current := ""                     // test to which the next logged lines belong
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if match := testLine.FindStringSubmatch(line); match != nil {
			status, name := match[1], match[2]
			current = name
			results = append(results, result{test: name, status: statuses[status], reason: firstLines[name]})
			for i, letter := range name {
				if letter == '/' {
					parents[name[:i]] = true
				}
			}
			continue
		}

		// A line such as "=== RUN TestName" says which test runs from here on.
		if event, ok := strings.CutPrefix(strings.TrimSpace(line), "=== "); ok {
			if fields := strings.Fields(event); len(fields) == 2 {
				current = fields[1]
			}
			continue
		}

		if firstLines[current] == "" && fileLine.MatchString(line) {
			firstLines[current] = oneLine(line)
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
		// The test may have logged its first line only after its result.
		if r.status == failed && r.reason == "" {
			r.reason = firstLines[r.test]
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

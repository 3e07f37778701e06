package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// readGoTests returns only innermost tests, each with the first line that it wrote.
func TestReadGoTestsCountsInnermost(t *testing.T) {
	got := readGoTests([]byte(`=== RUN   TestA
=== PAUSE TestA
=== RUN   TestB
=== RUN   TestB/one
=== RUN   TestB/two
    b_test.go:5: first: no
    b_test.go:6: second
--- FAIL: TestB (0.00s)
    --- PASS: TestB/one (0.00s)
    --- FAIL: TestB/two (0.00s)
=== CONT  TestA
=== CONT  TestC
    c_test.go:1: not here
=== NAME  TestA
    a_test.go:9: bad
--- FAIL: TestA (0.00s)
--- SKIP: TestC (0.00s)
FAIL
`))
	require.Equal(t, []result{
		{"TestB/one", passed, ""},
		{"TestB/two", failed, "b_test.go:5: first: no"},
		{"TestA", failed, "a_test.go:9: bad"},
		{"TestC", skipped, "c_test.go:1: not here"},
	}, got)
}

// If a test has several results, merge keeps a failure, and otherwise a success. It sorts the tests by name.
func TestMergeKeepsTheWorstResultOfATest(t *testing.T) {
	got := merge([]result{
		{"b", passed, ""},
		{"a", passed, ""},
		{"c", skipped, ""},
		{"a", failed, "cleanup"},
		{"b", skipped, ""},
	})
	require.Equal(t, []result{{"a", failed, "cleanup"}, {"b", passed, ""}, {"c", skipped, ""}}, got)
}

// readJUnit takes a test for failed if it or its setup fails. If only its teardown fails, the test has passed.
// If a test and its teardown fail, pytest writes two results, and the failure counts.
func TestReadJUnitIgnoresErrorsOfTheCleanup(t *testing.T) {
	got, err := readJUnit([]byte(`<testsuites><testsuite name="pytest">
<testcase classname="s3tests.functional.test_s3" name="test_passes" />
<testcase classname="s3tests.functional.test_s3" name="test_fails"><failure message="assert 1 == 2">long</failure></testcase>
<testcase classname="s3tests.functional.test_s3" name="test_fails"><error message="failed on teardown with no">long</error></testcase>
<testcase classname="s3tests.functional.test_s3" name="test_setup"><error message="failed on setup with no">long</error></testcase>
<testcase classname="s3tests.functional.test_s3" name="test_teardown"><error message="failed on teardown with no">long</error></testcase>
<testcase classname="s3tests.functional.test_s3" name="test_skipped"><skipped message="no">long</skipped></testcase>
</testsuite></testsuites>`))
	require.NoError(t, err)
	require.Equal(t, []result{
		{"test_s3.test_passes", passed, ""},
		{"test_s3.test_fails", failed, "assert 1 == 2"},
		{"test_s3.test_setup", failed, "failed on setup with no"},
		{"test_s3.test_teardown", passed, ""},
		{"test_s3.test_skipped", skipped, "no"},
	}, got)
}

// readMinioGo takes a test with the status NA for skipped.
func TestReadMinioGoTakesNotApplicableAsSkipped(t *testing.T) {
	got, err := readMinioGo([]byte(`some output
{"name":"minio-go: testA","status":"PASS","duration":1}
{"name":"minio-go: testB","status":"FAIL","message":"Put failed","error":{"Code":"X"}}
{"name":"minio-go: testC","status":"NA","alert":"Put is NotImplemented"}
`))
	require.NoError(t, err)
	require.Equal(t, []result{
		{"testA", passed, ""},
		{"testB", failed, "Put failed: map[Code:X]"},
		{"testC", skipped, "Put is NotImplemented"},
	}, got)
}

// readTAP reads the results of the Test Anything Protocol.
func TestReadTAP(t *testing.T) {
	got := readTAP([]byte(`TAP version 13
# Subtest: a
ok 1 - a
  ---
not ok 2 - b
  ---
  error: 'no'
ok 3 - c # SKIP
1..3
`))
	require.Equal(t, []result{{"a", passed, ""}, {"b", failed, "'no'"}, {"c", skipped, ""}}, got)
}

// readCells reads the results that suites have had on servers. writeTable replaces the table on a page by that of the
// results, and keeps the results of the page that were not measured again.
func TestWriteTable(t *testing.T) {
	dir := t.TempDir()

	// Each suite has a folder with a folder for each server.
	for path, results := range map[string][]result{
		"restic-0.19.1/ours https":      {{"a", passed, ""}},
		"restic-0.18.1/ours http":       {{"a", passed, ""}, {"b", failed, "no"}},
		"restic-0.18.1/directory http":  {{"a", passed, ""}, {"b", skipped, ""}},
		"kopia-locks-0.22.3/ours https": {{"a", passed, ""}},
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, path), 0o777))
		require.NoError(t, writeResults(filepath.Join(dir, path, "results.tsv"), results))
	}
	measured, err := readCells(dir)
	require.NoError(t, err)

	// The table has a column for both schemes of a server, and numbers of tests that passed, failed or were skipped.
	const firstTable = "| suite | ours (http, https) | directory http |\n" +
		"|---|---|---|\n" +
		"| `restic-0.18.1` | 1, 1 failed; https – | 1, 1 skipped |\n" +
		"| `restic-0.19.1` | –; https 1 | – |\n" +
		"| `kopia-locks-0.22.3` | –; https 1 | – |\n"
	require.Equal(t, firstTable, measured.table())

	page := filepath.Join(dir, "page.md")
	content := func() string {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		return string(text)
	}
	pageWith := func(table string) string {
		return "before\n<!-- make clients -->\n" + table + "<!-- end of make clients -->\nafter\n"
	}

	// The table replaces what is between two comments of the page.
	require.NoError(t, os.WriteFile(page, []byte(pageWith("old\n")), 0o666))
	require.NoError(t, writeTable(page, measured))
	require.Equal(t, pageWith("\n"+firstTable+"\n"), content())

	// A file without these comments is refused.
	otherFile := filepath.Join(dir, "restic-0.19.1", "ours https", "results.tsv")
	require.ErrorContains(t, writeTable(otherFile, measured), "no place")

	// A later run of some suites keeps the results of the others.
	require.NoError(t, writeTable(page, cells{
		{"restic-0.18.1", "ours http"}:  "2",
		{"restic-0.19.1", "ours http"}:  "1",
		{"restic-0.19.1", "minio http"}: "0, 1 failed",
	}))
	require.Equal(t, pageWith("\n| suite | ours (http, https) | directory http | minio http |\n"+
		"|---|---|---|---|\n"+
		"| `restic-0.18.1` | 2; https – | 1, 1 skipped | – |\n"+
		"| `restic-0.19.1` | 1 | – | 0, 1 failed |\n"+
		"| `kopia-locks-0.22.3` | –; https 1 | – | – |\n\n"), content())
}

// choose finds suites by their name, with or without the version.
func TestChoose(t *testing.T) {
	all, err := choose(suites, []string{"restic"})
	require.NoError(t, err)
	require.Equal(t, []string{"restic-0.18.1", "restic-0.19.1"}, names(all))

	one, err := choose(suites, []string{"restic-0.18.1"})
	require.NoError(t, err)
	require.Equal(t, []string{"restic-0.18.1"}, names(one))

	_, err = choose(suites, []string{"rest"})
	require.ErrorContains(t, err, `unknown name "rest"`)
}

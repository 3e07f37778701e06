package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// run reads the events of go test -json, and prints a line for each package. It prints other output only of tests that
// fail and of packages that do not build.
func TestOutputOfFailuresOnly(t *testing.T) {
	tests := map[string]struct {
		events string
		want   string
	}{
		"a package that passes": {
			events: `{"Action":"start","Package":"p"}
			{"Action":"run","Package":"p","Test":"TestA"}
			{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
			{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: a message\n"}
			{"Action":"pass","Package":"p","Test":"TestA"}
			{"Action":"output","Package":"p","Output":"PASS\n"}
			{"Action":"output","Package":"p","Output":"ok  \tp\t(cached)\n"}
			{"Action":"pass","Package":"p"}`,
			want: "ok  \tp\t(cached)\n",
		},
		"a package without tests": {
			events: `{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}
			{"Action":"skip","Package":"p"}`,
			want: "?   \tp\t[no test files]\n",
		},
		// TestA and the package q pass. TestB and so its package p fail.
		"a test that fails beside one that passes": {
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
			{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
			{"Action":"output","Package":"q","Output":"ok  \tq\t1s\n"}
			{"Action":"pass","Package":"q"}
			{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: a reason\n"}
			{"Action":"output","Package":"p","Test":"TestB","Output":"--- FAIL: TestB\n"}
			{"Action":"fail","Package":"p","Test":"TestB"}
			{"Action":"pass","Package":"p","Test":"TestA"}
			{"Action":"output","Package":"p","Output":"FAIL\n"}
			{"Action":"output","Package":"p","Output":"FAIL\tp\t1s\n"}
			{"Action":"fail","Package":"p"}`,
			want: "ok  \tq\t1s\n" +
				"    b_test.go:1: a reason\n" +
				"--- FAIL: TestB\n" +
				"FAIL\n" +
				"FAIL\tp\t1s\n",
		},
		"a test that does not end": {
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out after 1s\n"}
			{"Action":"output","Package":"p","Output":"FAIL\tp\t1s\n"}
			{"Action":"fail","Package":"p"}`,
			want: "panic: test timed out after 1s\nFAIL\tp\t1s\n",
		},
		"a package that does not build": {
			events: `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p/a_test.go:1:1: undefined: x\n"}
			{"ImportPath":"p [p.test]","Action":"build-fail"}
			{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
			{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			want: "p/a_test.go:1:1: undefined: x\nFAIL\tp [build failed]\n",
		},
		"a message of go that is no event": {
			events: "go: updates to go.mod needed\n",
			want:   "go: updates to go.mod needed\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var printed bytes.Buffer
			require.NoError(t, run(strings.NewReader(tt.events), &printed, "", newTable()))
			require.Equal(t, tt.want, printed.String())
		})
	}
}

// The results of tests that pass are stored, even if go splits a line into several events, and
// those of failed tests are not.
func TestResultsAreStored(t *testing.T) {
	dir := t.TempDir()

	// The first line of TestA continues in its second event, after an event of TestB.
	events := `{"Action":"output","Package":"p","Test":"TestA","Output":"    support.go:1: result of the suite: {\"name\":\"a/b\","}
		{"Action":"output","Package":"p","Test":"TestB","Output":"    support.go:1: result of the suite: {\"name\":\"b\",\"kind\":\"bucket\"}\n"}
		{"Action":"output","Package":"p","Test":"TestA","Output":"\"kind\":\"driver\"}\n"}
		{"Action":"output","Package":"p","Test":"TestA","Output":"    support.go:1: result of the suite: {\"name\":\"a\",\"kind\":\"service\"}\n"}
		{"Action":"pass","Package":"p","Test":"TestA"}
		{"Action":"fail","Package":"p","Test":"TestB"}`
	require.NoError(t, run(strings.NewReader(events), &bytes.Buffer{}, dir, newTable()))

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "the result of the failed test must not be stored")

	for name, want := range map[string]string{
		"a-b-driver.json": `{"name":"a/b","kind":"driver"}`,
		"a-service.json":  `{"name":"a","kind":"service"}`,
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
}

// A run of recorded responses reports its counts, too. They are stored, but do not count as a run of the suite.
func TestRecordingsAreStored(t *testing.T) {
	dir := t.TempDir()
	ran := newTable()
	events := `{"Action":"output","Package":"p","Test":"TestA","Output":"    report.go:1: result of the suite: {\"kind\":\"recording\",\"name\":\"m/n v1\",\"provider\":\"A\"}\n"}
		{"Action":"pass","Package":"p","Test":"TestA"}`
	require.NoError(t, run(strings.NewReader(events), &bytes.Buffer{}, dir, ran))

	text, err := os.ReadFile(filepath.Join(dir, "recording-m-n v1-A.json"))
	require.NoError(t, err)
	require.JSONEq(t, `{"kind":"recording","name":"m/n v1","provider":"A"}`, string(text))
	require.Empty(t, ran.suites)
}

// The table of the tests that "go test -json" has run counts those that passed, and lists with the reasons what did
// not run.
func TestTableSaysWhatRan(t *testing.T) {
	// TestA passes, and prints a result of the conformance suite. TestB is skipped because another command runs it.
	// TestC is skipped because of this machine, and TestD fails. A row of a test, such as TestA/row, is not counted.
	events := `{"Action":"output","Package":"p","Test":"TestA","Output":"    support.go:1: result of the suite: {\"name\":\"a\",\"kind\":\"driver\",\"passed\":7,\"without\":{\"c\":\"no tags\"}}\n"}
		{"Action":"pass","Package":"p","Test":"TestA/row"}
		{"Action":"pass","Package":"p","Test":"TestA"}
		{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: it needs X: \"make test-all\" starts it, as does: go run . -C p\n"}
		{"Action":"skip","Package":"p","Test":"TestB"}
		{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:1: this disk has no links\n"}
		{"Action":"skip","Package":"p","Test":"TestC"}
		{"Action":"pass","Package":"p"}
		{"Action":"fail","Package":"q","Test":"TestD"}
		{"Action":"fail","Package":"q"}`
	ran := newTable()
	require.NoError(t, run(strings.NewReader(events), &bytes.Buffer{}, "", ran))

	var printed bytes.Buffer
	ran.print(&printed)
	require.Equal(t, `
1 tests passed in 1 packages; 1 packages failed

the conformance suite ran on           cases passed   left out
  a, as a driver                                  7          1

cases left out, because
     1  no tags

tests and rows that another command runs, because
     1  it needs X: "make test-all" starts it

tests and rows that did not run, because
     1  this disk has no links
`, printed.String())
	require.Equal(t, 1, ran.failed)
}

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// proselint prints a line for each fault in testdata/src.
func TestFindings(t *testing.T) {
	var buf bytes.Buffer
	n, err := run([]string{"testdata/src"}, &buf)
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/findings.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), buf.String())
	require.Equal(t, strings.Count(string(want), "\n"), n)
}

// proselint accepts files, and refuses missing paths and unknown flags.
func TestArguments(t *testing.T) {
	var buf bytes.Buffer
	_, err := run([]string{"testdata/none"}, &buf)
	require.Error(t, err)

	_, err = run([]string{"-unknown"}, &buf)
	require.Error(t, err)
	require.Contains(t, buf.String(), "usage: proselint")

	n, err := run([]string{"main.go", "linter.go"}, &buf)
	require.NoError(t, err)
	require.Zero(t, n, buf.String())
}

// If a line of phrases.tsv has too few or too many fields, or a bad expression, parsePhrases fails and names the
// line.
func TestParsePhrasesFails(t *testing.T) {
	for _, list := range []string{"a", "(\tb", "a\tb\t(", "a\tb\tc\td"} {
		_, err := parsePhrases(list)
		require.ErrorContains(t, err, "phrases.tsv:1", list)
	}
}

// splitWords makes a sentence of the name of a test. Of adjacent capitals, the last one begins a word if a small letter
// follows it.
func TestWordsOfNames(t *testing.T) {
	for name, want := range map[string]string{
		"AUsersBucket":  "A users bucket",
		"ReadURL":       "Read url",
		"URLsAreKept":   "Ur ls are kept",
		"S3Is_SlowNow":  "S3 is slow now",
		"AllMayNotRead": "All may not read",
	} {
		require.Equal(t, want, splitWords(name), name)
	}
}

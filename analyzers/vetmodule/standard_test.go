package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The list "standard" has all analyzers that "go vet" registers, including those that a new version
// of Go adds.
func TestStandardAnalyzersAreThoseOfGoVet(t *testing.T) {
	// "go vet" lists its analyzers in its help, each in an indented line.
	output, err := exec.CommandContext(t.Context(), "go", "tool", "vet", "help").CombinedOutput()
	require.NoError(t, err, "%s", output)
	_, list, _ := strings.Cut(string(output), "Registered analyzers:")
	list, _, _ = strings.Cut(list, "By default")

	var want []string
	for _, match := range regexp.MustCompile(`(?m)^    (\w+) +\w`).FindAllStringSubmatch(list, -1) {
		want = append(want, match[1])
	}
	require.NotEmpty(t, want)

	var got []string
	for _, analyzer := range standard {
		got = append(got, analyzer.Name)
	}
	require.ElementsMatch(t, want, got)
}

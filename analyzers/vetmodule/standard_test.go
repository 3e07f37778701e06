package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The list standard has all analyzers that "go vet" registers, also those that a new version of Go adds.
func TestStandardAnalyzersAreThoseOfGoVet(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "tool", "vet", "help").CombinedOutput()
	require.NoError(t, err, "%s", output)
	_, list, _ := strings.Cut(string(output), "Registered analyzers:")
	list, _, _ = strings.Cut(list, "By default")
	var want, have []string
	for _, row := range regexp.MustCompile(`(?m)^    (\w+) +\w`).FindAllStringSubmatch(list, -1) {
		want = append(want, row[1])
	}

	for _, a := range standard {
		have = append(have, a.Name)
	}

	require.NotEmpty(t, want)
	require.ElementsMatch(t, want, have)
}

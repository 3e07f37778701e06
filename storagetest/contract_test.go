package storagetest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// definition matches how docs/maintainers/contract.md introduces a rule: "**W5. Write
// conditions.**".
var definition = regexp.MustCompile(`(?m)^\*\*([A-Z]+(?:-FS|[0-9]+))\. `)

// contractRules returns the ids that docs/maintainers/contract.md defines.
func contractRules(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../docs/maintainers/contract.md")
	require.NoError(t, err)
	defined := make(map[string]bool)
	for _, m := range definition.FindAllStringSubmatch(string(page), -1) {
		require.False(t, defined[m[1]], "rule %s is defined twice", m[1])
		defined[m[1]] = true
	}
	require.NotEmpty(t, defined)
	return defined
}

// The contract defines the rule of every case.
func TestContractDefinesTheRuleOfEveryCase(t *testing.T) {
	defined := contractRules(t)
	for _, c := range Cases() {
		require.True(t, defined[c.Rule], "case %q has the undefined rule %q", c.Name, c.Rule)
	}
	for _, c := range serviceCases {
		require.True(t, defined[c.Rule], "case %q has the undefined rule %q", c.Name, c.Rule)
	}
}

var (
	namedCase = regexp.MustCompile(`case "([^"]+)"`)
	namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9_]+)`")
)

// docs/maintainers/reliability.md names only cases and tests that exist.
func TestReliabilityPageNamesTests(t *testing.T) {
	page, err := os.ReadFile("../docs/maintainers/reliability.md")
	require.NoError(t, err)
	cases := make(map[string]bool)
	for _, c := range Cases() {
		cases[c.Name] = true
	}
	for _, c := range serviceCases {
		cases[c.Name] = true
	}

	// The page names a case in the form: case "ranges".
	namedCases := namedCase.FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, namedCases)
	for _, match := range namedCases {
		name := match[1]
		require.True(t, cases[name], "the suite has no case %q", name)
	}

	// The page names a test by the package and the function, as in `transfer.TestMove`.
	namedTests := namedTest.FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, namedTests)
	for _, match := range namedTests {
		pkg, function := match[1], match[2]
		require.True(t, hasTest(t, pkg, function), "%s has no test %s", pkg, function)
	}
}

// hasTest reports whether a package of the library has a test function with this name.
func hasTest(t *testing.T, pkg, function string) bool {
	t.Helper()
	dir := filepath.Join("..", strings.TrimPrefix(pkg, "storage"))
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "func "+function+"(") {
			return true
		}
	}
	return false
}

package storagetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	// definition is how docs/contract.md introduces a rule: "**W5. Write conditions.**".
	definition = regexp.MustCompile(`(?m)^\*\*([A-Z]+(?:-FS|[0-9]+))\. `)

	// citation is how code and documents name a rule: "rule W5", "rules W5".
	citation = regexp.MustCompile(`\b[Rr]ules? ([A-Z]{1,2}(?:-FS|[0-9]{1,2}))\b`)
)

// contractRules are the ids that docs/contract.md defines.
func contractRules(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../docs/contract.md")
	require.NoError(t, err)
	defined := make(map[string]bool)
	for _, m := range definition.FindAllStringSubmatch(string(page), -1) {
		require.False(t, defined[m[1]], "rule %s is defined twice", m[1])
		defined[m[1]] = true
	}
	require.NotEmpty(t, defined)
	return defined
}

func TestTheContractDefinesTheRuleOfEveryCase(t *testing.T) {
	defined := contractRules(t)
	for _, c := range Cases() {
		require.True(t, defined[c.Rule], "case %q cites rule %q", c.Name, c.Rule)
	}
	for _, c := range serviceCases {
		require.True(t, defined[c.Rule], "case %q cites rule %q", c.Name, c.Rule)
	}
}

func TestTheContractDefinesEveryRuleThatIsCited(t *testing.T) {
	defined := contractRules(t)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return fs.SkipDir
		}
		if ext := filepath.Ext(path); d.IsDir() || ext != ".go" && ext != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range citation.FindAllSubmatch(text, -1) {
			require.True(t, defined[string(m[1])], "%s cites rule %s", path, m[1])
		}
		return nil
	})
	require.NoError(t, err)
}

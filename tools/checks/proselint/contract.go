package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var (
	// definition matches the text with which docs/maintainers/contract.md introduces a rule: "**W5. Write
	// conditions.**".
	definition = regexp.MustCompile(`(?m)^\*\*([A-Z]+(?:-FS|[0-9]+))\. `)

	// citation matches "rule W5", "Rules W5", "contract W5" and "W5" without such a word.
	citation = regexp.MustCompile(`\b([Rr]ules? |contract )?\b([A-Z]{1,2}(?:-FS|[1-9][0-9]?))\b`)
)

// A contract is the set of rules that docs/maintainers/contract.md defines.
type contract struct {
	rules    map[string]bool
	families map[byte]bool // first letters of the ids of rules
}

// readContract reads the rules that the page at path defines. It fails if the page defines a rule
// twice, or none.
func readContract(path string) (contract, error) {
	page, err := os.ReadFile(path)
	if err != nil {
		return contract{}, err
	}
	c := contract{rules: make(map[string]bool), families: make(map[byte]bool)}
	for _, match := range definition.FindAllStringSubmatch(string(page), -1) {
		rule := match[1]
		if c.rules[rule] {
			return contract{}, fmt.Errorf("%s defines rule %s twice", path, rule)
		}
		c.rules[rule] = true
		c.families[rule[0]] = true // the family of rule W5 is W
	}
	if len(c.rules) == 0 {
		return contract{}, fmt.Errorf("%s defines no rule", path)
	}
	return c, nil
}

// notRules lists words that look like the id of a rule but are not. V4 is a version of Amazon's
// signatures.
var notRules = map[string]bool{"V4": true}

// checkRules reports each rule that p cites but the contract does not define. If prose is false,
// "W5" counts as a citation only after the word "rule" or "contract".
func (l *linter) checkRules(p paragraph, prose bool) {
	for _, m := range citation.FindAllStringSubmatchIndex(p.text, -1) {
		id := p.text[m[4]:m[5]]
		isNamed := m[2] >= 0
		bare := prose && len(id) <= 3 && l.rules.families[id[0]] && id[1] <= '9' && isFree(p.text, m[4], m[5]) &&
			!notRules[id]
		if !l.rules.rules[id] && (isNamed && id != "ID" || bare) {
			l.report(p.file, p.lineAt(m[4]), fmt.Sprintf("docs/maintainers/contract.md defines no rule %s", id))
		}
	}
}

// isFree reports whether text[start:end] is a word by itself, and not a part of an escape, a URL or a
// name.
func isFree(text string, start, end int) bool {
	if start > 0 && text[start-1] != ' ' && text[start-1] != '(' {
		return false
	}
	return end == len(text) || !strings.ContainsRune("-/_%", rune(text[end]))
}

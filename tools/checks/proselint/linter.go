package main

import (
	"cmp"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/omnibucket/storage/tools/checks/repository"
)

// A finding is a place in the repository that breaks a rule of docs/maintainers/writing.md.
type finding struct {
	file string
	line int
	text string
}

// A paragraph is a text to check, with single spaces between its words.
type paragraph struct {
	file  string
	text  string
	lines []int // number of the line that contains each word
}

// A linter checks files, and collects the findings.
type linter struct {
	phrases  []phrase
	rules    contract
	packages packages
	findings []finding
	clean    map[string]bool // texts that were checked and contain no phrase
}

func newLinter() (*linter, error) {
	root, err := repository.Root()
	if err != nil {
		return nil, err
	}
	phrases, err := parsePhrases(phraseList)
	if err != nil {
		return nil, err
	}
	rules, err := readContract(filepath.Join(root, "docs", "maintainers", "contract.md"))
	if err != nil {
		return nil, err
	}
	return &linter{phrases: phrases, rules: rules, packages: packages{root: root}, clean: map[string]bool{}}, nil
}

// check checks the given files, and all files below the given folders.
func (l *linter) check(paths []string) error {
	for _, path := range paths {
		top := filepath.Clean(strings.TrimSuffix(path, "..."))
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if path != top && isSkipped(d.Name()) {
					return fs.SkipDir
				}
				return nil
			}
			if filepath.Ext(path) == ".go" {
				return l.goFile(path)
			}
			if filepath.Ext(path) == ".md" {
				return l.markdownFile(path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(l.findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return nil
}

func isSkipped(dir string) bool {
	return strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_") || dir == "testdata" || dir == "node_modules"
}

func (l *linter) report(file string, line int, text string) {
	l.findings = append(l.findings, finding{file: file, line: line, text: text})
}

// lineAt returns the number of the line with the word at the given offset in p.text.
func (p paragraph) lineAt(offset int) int {
	return p.lines[min(strings.Count(p.text[:offset], " "), len(p.lines)-1)]
}

// A collector joins lines to paragraphs. It passes each paragraph to the function report.
type collector struct {
	file   string
	words  []string
	lines  []int
	report func(paragraph)
}

// newCollector returns a collector for prose, in which the linter checks phrases and rules.
func (l *linter) newCollector(path string) *collector {
	return &collector{
		file: path,
		report: func(p paragraph) {
			l.checkPhrases(p)
			l.checkRules(p, true)
		},
	}
}

// add adds a line to the current paragraph. number is the number of the line in the file.
func (c *collector) add(number int, line string) {
	for _, word := range strings.Fields(line) {
		c.words = append(c.words, word)
		c.lines = append(c.lines, number)
	}
}

// end ends the current paragraph, and reports it unless it is empty.
func (c *collector) end() {
	if len(c.words) > 0 {
		c.report(paragraph{file: c.file, text: strings.Join(c.words, " "), lines: c.lines})
	}
	c.words = nil
	c.lines = nil
}

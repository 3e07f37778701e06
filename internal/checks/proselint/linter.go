package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A finding is one violation of a rule of docs/maintainers/writing.md.
type finding struct {
	file string
	line int
	text string
}

// A paragraph is text that is checked: its words are separated by single spaces.
type paragraph struct {
	file string
	text string
	at   []int // the line of each word
}

// A linter collects findings.
type linter struct {
	phrases  []phrase
	rules    contract
	packages packages
	findings []finding
	clean    map[string]bool // texts without phrases
}

func newLinter() (*linter, error) {
	root, err := findRoot()
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

// findRoot returns the closest parent of the working directory that has the
// contract.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "docs", "maintainers", "contract.md")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory must be inside the repository")
		}
		dir = parent
	}
}

// check checks the files that paths name, and those in the folders that they name.
func (l *linter) check(paths []string) error {
	for _, path := range paths {
		top := filepath.Clean(strings.TrimSuffix(path, "..."))
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir():
				if path != top && isSkipped(d.Name()) {
					return fs.SkipDir
				}
				return nil
			case filepath.Ext(path) == ".go":
				return l.goFile(path)
			case filepath.Ext(path) == ".md":
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

// lineAt returns the line of the word at an offset of p.text.
func (p paragraph) lineAt(offset int) int {
	return p.at[min(strings.Count(p.text[:offset], " "), len(p.at)-1)]
}

// A collector builds paragraphs from lines.
type collector struct {
	file  string
	words []string
	at    []int
	done  func(paragraph)
}

// add adds a line of the current paragraph.
func (c *collector) add(number int, line string) {
	for _, word := range strings.Fields(line) {
		c.words = append(c.words, word)
		c.at = append(c.at, number)
	}
}

// end ends the current paragraph.
func (c *collector) end() {
	if len(c.words) > 0 {
		c.done(paragraph{file: c.file, text: strings.Join(c.words, " "), at: c.at})
	}
	c.words, c.at = nil, nil
}

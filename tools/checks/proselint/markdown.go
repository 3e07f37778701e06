package main

import (
	"os"
	"regexp"
	"strings"
)

var (
	codeSpan  = regexp.MustCompile("`[^`]*`")
	listItem  = regexp.MustCompile(`^\s*([-*]|[0-9]+\.) `)
	linkInMd  = regexp.MustCompile(`\]\([^)]*\)`)
	separator = regexp.MustCompile(`^[\s|:-]*$`)
)

// markdownFile checks a Markdown file, except the code in it.
func (l *linter) markdownFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	c := l.newCollector(path)
	inCode := false
	for i, line := range strings.Split(string(text), "\n") {
		number := i + 1
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			c.end()
			inCode = !inCode
			continue
		}
		if inCode {
			continue
		}

		// A heading, a cell of a table and an item of a list are paragraphs of their own.
		switch {
		case separator.MatchString(line):
			c.end()
		case strings.HasPrefix(trimmed, "#"):
			c.end()
			c.add(number, withoutCode(trimmed))
			c.end()
		case strings.HasPrefix(trimmed, "|"):
			c.end()
			for _, cell := range strings.Split(withoutCode(trimmed), "|") {
				c.add(number, cell)
				c.end()
			}
		case listItem.MatchString(line):
			c.end()
			c.add(number, listItem.ReplaceAllString(withoutCode(line), ""))
		default:
			c.add(number, withoutCode(line))
		}
	}

	c.end()
	return nil
}

// withoutCode returns a line in which a single word replaces each code span, and links have no
// targets.
func withoutCode(line string) string {
	return linkInMd.ReplaceAllString(codeSpan.ReplaceAllString(line, "`code`"), "]")
}

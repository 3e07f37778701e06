package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed phrases.tsv
var phraseList string

// A phrase is a row of phrases.tsv: a pattern that must not occur, and better words.
type phrase struct {
	pattern *regexp.Regexp
	better  string
	unless  *regexp.Regexp // text that is permitted although pattern matches it; may be nil
}

// parsePhrases parses the lines of phrases.tsv. A line has a pattern, the better words and an
// optional exception, separated by tabs. Blank lines and lines that begin with # are ignored.
func parsePhrases(list string) ([]phrase, error) {
	var phrases []phrase
	for i, line := range strings.Split(list, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) < 2 || len(fields) > 3 {
			return nil, fmt.Errorf("phrases.tsv:%d: want two or three fields, separated by tabs", i+1)
		}
		p := phrase{better: fields[1]}
		var err error
		if p.pattern, err = regexp.Compile(fields[0]); err != nil {
			return nil, fmt.Errorf("phrases.tsv:%d: %w", i+1, err)
		}
		if len(fields) == 3 {
			// The exception must match at the place at which the pattern matches.
			if p.unless, err = regexp.Compile(`^(?:` + fields[2] + `)`); err != nil {
				return nil, fmt.Errorf("phrases.tsv:%d: %w", i+1, err)
			}
		}
		phrases = append(phrases, p)
	}
	return phrases, nil
}

// checkPhrases reports the phrases in p. It remembers texts without phrases, because many tests
// repeat the same text.
func (l *linter) checkPhrases(p paragraph) {
	if l.clean[p.text] {
		return
	}
	findingsBefore := len(l.findings)
	defer func() {
		l.clean[p.text] = len(l.findings) == findingsBefore
	}()

	for _, phrase := range l.phrases {
		for _, match := range phrase.pattern.FindAllStringIndex(p.text, -1) {
			// A pattern may begin with the end of the previous sentence, which is not part of the phrase.
			end := match[1]
			found := strings.TrimLeft(p.text[match[0]:end], ".,:;!? ")
			start := end - len(found)
			if phrase.unless != nil && phrase.unless.MatchString(p.text[start:]) {
				continue
			}
			l.report(p.file, p.lineAt(start), fmt.Sprintf("%q: %s", found, phrase.better))
		}
	}
}

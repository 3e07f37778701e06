package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A section is the part of the changelog that describes one release.
type section struct {
	name, date string // name and date of the release; the section "Unreleased" has no date
	text       string
}

var sectionHead = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$`)

// sections splits the changelog into its sections, and keeps their order.
func sections(changelog string) []section {
	heads := sectionHead.FindAllStringSubmatchIndex(changelog, -1)
	all := make([]section, len(heads))
	for i, head := range heads {
		start := head[1]
		end := len(changelog)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		all[i] = section{
			name: submatch(changelog, head, 1),
			date: submatch(changelog, head, 2),
			text: strings.TrimSpace(changelog[start:end]),
		}
	}
	return all
}

// submatch returns the text of the group with this number, or "". bounds has the start and the end of
// each group, as package regexp returns them.
func submatch(text string, bounds []int, group int) string {
	start, end := bounds[2*group], bounds[2*group+1]
	if start < 0 {
		return ""
	}
	return text[start:end]
}

// checkChangelog checks that the changelog describes the release or, without -version, the next
// release.
func checkChangelog(r *repository) error {
	latest, err := r.entry()
	if err == nil {
		fmt.Printf("%s has %d lines\n", latest.name, strings.Count(latest.text, "\n")+1)
	}
	return err
}

// writeNotes writes the section of the release to the file that the flag -notes names.
func writeNotes(r *repository) error {
	latest, err := r.entry()
	if err != nil {
		return err
	}
	return os.WriteFile(r.notes, []byte(latest.text+"\n"), 0o600)
}

func (r *repository) entry() (section, error) {
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return section{}, err
	}
	return entryOf(string(text), r.version)
}

// entryOf returns the section of a version. If version is "", it returns the section "Unreleased".
func entryOf(changelog, version string) (section, error) {
	all := sections(changelog)
	if len(all) == 0 || all[0].name != "Unreleased" {
		return section{}, errors.New("the first section must be [Unreleased]")
	}
	name := strings.TrimPrefix(version, "v")
	if version == "" {
		name = "Unreleased"
	}
	i := slices.IndexFunc(all, func(s section) bool { return s.name == name })
	if i < 0 {
		return section{}, fmt.Errorf("[%s] is missing", name)
	}
	entry := all[i]
	if name != "Unreleased" && entry.date == "" {
		return section{}, fmt.Errorf("[%s] must have a date: ## [%s] - 2026-12-31", name, name)
	}
	if !strings.Contains(entry.text, "\n- ") {
		return section{}, fmt.Errorf("[%s] must have entries", name)
	}
	return entry, nil
}

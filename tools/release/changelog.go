package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	for i, h := range heads {
		end := len(changelog)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		all[i] = section{name: changelog[h[2]:h[3]], text: strings.TrimSpace(changelog[h[1]:end])}
		if h[4] >= 0 {
			all[i].date = changelog[h[4]:h[5]]
		}
	}
	return all
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
	for _, s := range all {
		switch {
		case s.name != name:
		case s.name != "Unreleased" && s.date == "":
			return section{}, fmt.Errorf("[%s] must have a date: ## [%s] - 2026-12-31", name, name)
		case !strings.Contains(s.text, "\n- "):
			return section{}, fmt.Errorf("[%s] must have entries", name)
		default:
			return s, nil
		}
	}
	return section{}, fmt.Errorf("[%s] is missing", name)
}

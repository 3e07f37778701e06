package main

import (
	"fmt"
	"strings"
)

const (
	sectionHead = "## API\n\n"
	linkPrefix  = "https://raw.githubusercontent.com/omnibucket/storage/main/" + folder + "/"
)

// withLinks returns the text of the index with a link to the listing of each package, in the section
// of the API.
func withLinks(text string, packages []*pkg) (string, error) {
	head, tail, ok := strings.Cut(text, sectionHead)
	if !ok {
		return "", fmt.Errorf("%s has no section %q", index, strings.TrimSpace(sectionHead))
	}
	_, rest, ok := strings.Cut(tail, "\n## ")
	if !ok {
		return "", fmt.Errorf("%s has no section after %q", index, strings.TrimSpace(sectionHead))
	}

	var section strings.Builder
	for _, p := range packages {
		synopsis, err := p.synopsis()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&section, "- [%s](%s%s): %s\n", p.ImportPath, linkPrefix, p.file(), synopsis)
	}
	return head + sectionHead + section.String() + "\n## " + rest, nil
}

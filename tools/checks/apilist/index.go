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
	before, tail, hasSection := strings.Cut(text, sectionHead)
	if !hasSection {
		return "", fmt.Errorf("%s has no section %q", index, strings.TrimSpace(sectionHead))
	}
	// The links that the section has now are replaced.
	_, after, hasNext := strings.Cut(tail, "\n## ")
	if !hasNext {
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
	return before + sectionHead + section.String() + "\n## " + after, nil
}

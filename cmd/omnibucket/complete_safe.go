package main

import (
	"fmt"
	"strings"
	"unicode"
)

// A shell inserts what completions have in common without quotes, and programs of all kinds have
// written the names of a store. A completion therefore has no character that a shell reads.

// isPlain reports whether no shell reads a character, wherever in a word it is.
func isPlain(r rune) bool {
	switch {
	case r == unicode.ReplacementChar: // not UTF-8
		return false
	case r < 0x80:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./:@%+,=", r)
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So)
}

// isCompletable reports whether a shell can insert a name. The scripts quote a space.
func isCompletable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r != ' ' && !isPlain(r) }) &&
		name == strings.TrimSpace(name)
}

// inShell escapes the characters of a path of an address that a shell reads.
func inShell(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; isPlain(rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

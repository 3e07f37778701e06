package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A completion never has a character that a shell interprets. If there are several completions, a
// shell inserts their common start without quotes. The completions are keys of a store, and an
// attacker may have chosen them.

// isPlain reports whether a character has no special meaning anywhere in a word of a shell command.
func isPlain(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9':
		return true
	case r < utf8.RuneSelf:
		return strings.ContainsRune("-_./:@%+,=", r)
	case r == utf8.RuneError: // invalid UTF-8
		return false
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So)
}

// isCompletable reports whether a shell can insert a name safely. Spaces within the name are safe,
// because the scripts quote them.
func isCompletable(name string) bool {
	if name != strings.TrimSpace(name) {
		return false
	}
	for _, r := range name {
		if r != ' ' && !isPlain(r) {
			return false
		}
	}
	return true
}

// inShell percent-encodes the characters of a path in an address that a shell would interpret.
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

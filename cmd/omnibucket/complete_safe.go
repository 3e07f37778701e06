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

// isPlain reports whether a character is safe anywhere in a word of a shell command. A safe
// character has no special meaning in any shell.
func isPlain(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9':
		return true
	case r < utf8.RuneSelf:
		return strings.ContainsRune("-_./:@%+,=", r)
	case r == utf8.RuneError:
		// The text is not valid UTF-8.
		return false
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So)
}

// isCompletable reports whether a shell can insert a name safely. A space is safe, because the
// scripts quote it.
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

// inShell escapes the characters of an address's path that a shell interprets.
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

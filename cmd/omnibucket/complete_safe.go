package main

import (
	"fmt"
	"strings"
	"unicode"
)

// A completion never has a character that a shell interprets. If there are several completions, a
// shell inserts their common start without quotes. The completions are keys of a store, and an
// attacker may have chosen them.

// isPlain reports whether a character is safe anywhere in a word of a shell command. A safe
// character has no special meaning in any shell.
func isPlain(r rune) bool {
	if r == unicode.ReplacementChar { // invalid UTF-8
		return false
	}
	if r < 0x80 {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./:@%+,=", r)
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So)
}

// isCompletable reports whether a shell can insert a name safely. A space is safe, because the
// scripts quote it.
func isCompletable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r != ' ' && !isPlain(r) }) &&
		name == strings.TrimSpace(name)
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
